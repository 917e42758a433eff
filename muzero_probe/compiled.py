"""The one place that compiles: every operation is rounded as IEEE 754 says, and no compiled code outlives its sources.

Numba keeps compiled functions on disk and compiles one again when its own file has changed, but not when a function or
a constant has that it takes from another file. So the folder that holds them is named by a hash of all these files.

Processes that fill an empty folder at once, on one machine or on many, may lose each other's work and compile again;
none takes another's code for its own. Which processor code is for is part of numba's key.
"""

import hashlib
import os
import pickle
import re
import stat
import sys
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.types import unliteral

from muzero_probe import files

PACKAGE = Path(__file__).parent
config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]
IMPORT = re.compile(r"^from muzero_probe\.([\w.]+) import", re.MULTILINE)


def sources(package: Path = PACKAGE) -> list[Path]:
    """Returns the files whose code is compiled, and those that they import functions or constants from."""
    texts = {path: path.read_text() for path in sorted(package.rglob("*.py"))}
    found = {path for path, text in texts.items() if "numba" in text or "muzero_probe.compiled" in text}
    for path in list(found):
        for name in IMPORT.findall(texts[path]):
            module = package.joinpath(*name.split("."))
            found |= {file for file in (module.with_suffix(".py"), module / "__init__.py") if file in texts}
    return sorted(found)


@cache
def folder() -> str | None:
    """Returns where compiled code of these sources is kept; None where it cannot be kept, which one line says."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    home = _home(Path(config.CACHE_DIR) if config.CACHE_DIR else PACKAGE / "__pycache__" / "compiled")
    return home and str(home / digest.hexdigest()[:16])


def say_first() -> None:
    """Says so on stderr where nothing is compiled yet: it takes a while, once.

    The folder itself is there as soon as functions are declared.
    """
    kept = folder()
    if kept and not any(Path(kept).rglob("*.nbc")):
        print(f"muzero-probe: compiling for this processor, once, for some minutes: {kept}", file=sys.stderr)


def _home(usual: Path) -> Path | None:
    """Returns the usual folder, that of the package or of NUMBA_CACHE_DIR, or this user's own one of temporary files.

    Compiled code is run when it is read, so nobody else may be able to write there.
    """
    if _writable(usual):
        return usual
    own = None
    with suppress(OSError):  # there may be no folder of temporary files, either
        own = Path(tempfile.gettempdir()) / f"muzero-probe-{os.getuid()}"
        own.mkdir(mode=0o700, exist_ok=True)
        there = own.lstat()
        if stat.S_ISDIR(there.st_mode) and there.st_uid == os.getuid() and not there.st_mode & 0o077 and _writable(own):
            os.environ["NUMBA_CACHE_DIR"] = str(own)  # for the processes that this one starts
            print(f"muzero-probe: compiled code is kept in {own}: {usual} cannot be written", file=sys.stderr)
            return own
    why = f"{usual} cannot be written" + (f", and {own} is not this user's alone" if own else "")
    print(f"muzero-probe: compiled code is not kept: {why}; NUMBA_CACHE_DIR names a folder", file=sys.stderr)
    return None


def _writable(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    return False


def jit(function: Callable[..., Any] | None = None, *, inline: bool = False, cache: bool = True) -> Any:
    """Compiles a function when it is first called; releases the interpreter lock; never uses fast math.

    Args:
        function: what to compile; None to get a decorator.
        inline: put it into its callers, for functions of a few operations.
        cache: keep it on disk; not for functions that take functions.
    """
    if function is None:
        return lambda given: jit(given, inline=inline, cache=cache)
    given, kept = config.CACHE_DIR, folder() if cache else None
    config.CACHE_DIR = kept or ""  # is read when the function is declared
    try:
        made: Any = numba.njit(nogil=True, cache=kept is not None, error_model="numpy", forceinline=inline)(function)
    finally:
        config.CACHE_DIR = given
    _pass_by_constants(made)
    if kept is not None:
        _name_by_chance(made._cache._cache_file)
        _seal(made._cache._cache_file)
        _compile_where_damaged(made._cache)
    return made


def _pass_by_constants(made: Any) -> None:
    """Compiles a function once for numbers of a type; numba compiles it for every constant that a caller names."""
    template = made.get_call_template

    def of_types(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return template(tuple(map(unliteral, args)), {name: unliteral(kind) for name, kind in kws.items()})

    made.get_call_template = of_types


def _compile_where_damaged(kept: Any) -> None:
    """Takes a damaged file of compiled code, which would be a traceback, for none."""
    load = kept.load_overload

    def loaded(*asked: Any) -> Any:
        try:
            return load(*asked)
        except Exception as error:  # whatever reading half of a file raises
            print(
                f"muzero-probe: compiled code in {kept.cache_path} is damaged, it is made anew: {error}",
                file=sys.stderr,
            )
            kept.flush()
            return None

    kept.load_overload = loaded


def _seal(file: Any) -> None:
    """Ends a function's files with a digest: a bit that is another one would be run.

    Numba passes by what stands behind the end of what it has written.
    """
    dump, load_index, load_data = file._dump, file._load_index, file._load_data
    version = pickle.dumps(numba.__version__, protocol=-1)  # what an index begins with

    def checked_index() -> Any:
        with suppress(FileNotFoundError):
            data = files.read(Path(file._index_path))
            if data.startswith(version):  # numba passes by that of another version
                files.opened(data.removeprefix(version))
        return load_index()

    def checked_data(name: str) -> Any:
        files.opened(files.read(Path(file._data_path(name))))
        return load_data(name)

    file._dump = lambda written: files.sealed(dump(written), "compiled code")
    file._load_index, file._load_data = checked_index, checked_data


def _name_by_chance(file: Any) -> None:
    """Gives a function's files names that no other process chooses.

    Numba counts them by the index that it has just read. Two processes that compile for different types, or processors,
    count to the same name, and the index of one comes to name the code of the other.
    """
    pattern = file._data_name_pattern
    file._data_name = lambda number: pattern.format(number=uuid.uuid4().int)
