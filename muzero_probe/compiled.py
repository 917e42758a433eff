"""The one place that compiles: every operation is rounded as IEEE 754 says, and no compiled code outlives its sources.

Numba keeps compiled functions on disk and compiles one again when its own file has changed, but not when a function or
a constant has that it takes from another file. So the folder that holds them is named by a hash of all these files.

Processes that fill an empty folder at once, on one machine or on many, may lose each other's work and compile again;
none takes another's code for its own. Which processor code is for is part of numba's key.
"""

import hashlib
import re
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

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
def folder() -> str:
    """Returns where compiled code of these sources is kept: in the package, or where NUMBA_CACHE_DIR says."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    home = Path(config.CACHE_DIR) if config.CACHE_DIR else PACKAGE / "__pycache__" / "compiled"
    return str(home / digest.hexdigest()[:16])


def jit(function: Callable[..., Any] | None = None, *, inline: bool = False, cache: bool = True) -> Any:
    """Compiles a function when it is first called; releases the interpreter lock; never uses fast math.

    Args:
        function: what to compile; None to get a decorator.
        inline: put it into its callers, for functions of a few operations.
        cache: keep it on disk; not for functions that take functions.
    """
    if function is None:
        return lambda given: jit(given, inline=inline, cache=cache)
    given = config.CACHE_DIR
    config.CACHE_DIR = folder()  # is read when the function is declared
    try:
        made: Any = numba.njit(nogil=True, cache=cache, error_model="numpy", forceinline=inline)(function)
    finally:
        config.CACHE_DIR = given
    if cache:
        _name_by_chance(made._cache._cache_file)
    return made


def _name_by_chance(file: Any) -> None:
    """Gives a function's files names that no other process chooses.

    Numba counts them by the index that it has just read. Two processes that compile for different types, or processors,
    count to the same name, and the index of one comes to name the code of the other.
    """
    pattern = file._data_name_pattern
    file._data_name = lambda number: pattern.format(number=uuid.uuid4().int)
