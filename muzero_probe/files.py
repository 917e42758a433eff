"""One way to write a file and one to read it.

A file appears complete or not at all: it is written under a name that no other writer has, flushed to the disk and
renamed, so that a link in its place is replaced and never followed. What a killed writer left is swept away by the next
one in the same folder; a lock on the unfinished file, which dies with its process, tells who still writes.
"""

import errno
import fcntl
import fnmatch
import hashlib
import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

UNLOCKABLE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # some shared disks know no locks

SEAL = b"\nmuzero-probe: "
unfinished: set[Path] = set()  # of this process, under their temporary names

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # of a profile or an agent


def check_name(name: str) -> None:
    """Raises `ValueError` unless a name can be part of a path: that of a profile or an agent."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a profile or an agent: up to 100 letters, digits, dots, dashes and "
            "underscores can, the first a letter or a digit"
        )


def check_folder(path: Path) -> None:
    """Raises `OSError` unless a path is a folder or one can be made there, as far as that shows beforehand."""
    for place in (path, *path.parents):
        try:
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(place))
        if place != path:
            _check_writable(place)
        return


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "is a folder that cannot be written to", str(folder))


def check_place(path: Path) -> None:
    """Raises `OSError` if a file cannot be written at a path, as far as that shows beforehand."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        check_folder(path.parent)
        if path.parent.exists():
            _check_writable(path.parent)
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", str(path))
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):  # a link is replaced
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    _check_writable(path.parent)


def replace(path: Path, blocks: Iterable[Any]) -> None:
    """Writes a file that appears complete or not at all.

    Args:
        path: of the file; missing folders are made.
        blocks: its bytes, in parts (a single part: `[content]`).

    Raises:
        OSError: if it cannot be written; what was there is there still.
    """
    check_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    with named(path):
        temporary, file = _begin(path)
        try:
            with file:  # the lock is held until the file has its name
                for block in blocks:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            unfinished.discard(temporary)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name, too
        finally:
            os.close(folder)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Names a file in errors that do not: a full disk is not told where."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Holds the lock of a file, which ends with the process, however that ends; the file stays.

    Yields:
        Whether the disk knows locks.

    Raises:
        BlockingIOError: if somebody else holds it.
        OSError: if it is no file that can be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def names(folder: Path, pattern: str = "*") -> list[str]:
    """Returns the names in a folder that match a pattern, sorted; none where there is no folder.

    Raises:
        OSError: if it cannot be read, where `Path.glob` finds none.
    """
    try:
        return sorted(fnmatch.filter(os.listdir(folder), pattern))
    except (FileNotFoundError, NotADirectoryError):
        return []


def modules(folder: Path) -> list[str]:
    """Returns the names of a package's modules, sorted.

    Raises:
        OSError: if it cannot be read, where `pkgutil` finds none.
    """
    return [name.removesuffix(".py") for name in names(folder, "[!_]*.py")]


def read(path: Path) -> bytes:
    """Returns a regular file's bytes.

    Raises:
        OSError: if it cannot be read, or is no regular file: a pipe would never end.
    """
    with open(path, "rb", opener=_opener) as file:
        return file.read()


def check(path: Path) -> None:
    """Raises `OSError` unless the path is a regular file that can be opened: before somebody else's code opens it."""
    os.close(_opener(path, os.O_RDONLY))


def sealed(content: bytes, about: str) -> bytes:
    """Returns content, of a format that allows bytes after its end, with a line: what it is about, and a digest."""
    line = about.encode()
    return b"%b%b%b %b\n" % (content, SEAL, line, _digest(content, line))


def opened(data: bytes) -> tuple[bytes, str]:
    """Returns the content of what was `sealed`, and what it is about.

    Raises:
        ValueError: if it was not, or was cut or altered since.
    """
    content, seal, line = data.rpartition(SEAL)
    about, _, digest = line.removesuffix(b"\n").rpartition(b" ")
    if not seal:
        raise ValueError("was cut, or is not of this toolkit: it does not end with a digest")
    if digest != _digest(content, about) or not line.endswith(b"\n"):
        raise ValueError("was cut or altered, its digest does not match")
    return content, about.decode()


def _digest(content: bytes, about: bytes) -> bytes:
    return hashlib.sha256(about + b" " + content).hexdigest().encode()


def _opener(path: str | Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return descriptor


def _begin(path: Path) -> tuple[Path, BinaryIO]:
    """Returns an unfinished file of our own, and its name."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        unfinished.add(temporary)
        try:
            file = temporary.open("xb")
            try:
                _lock(file.fileno())
            except BaseException:
                file.close()
                temporary.unlink(missing_ok=True)
                raise
        except BaseException:
            unfinished.discard(temporary)
            raise
        if os.fstat(file.fileno()).st_nlink:  # nobody swept it away before it was locked
            return temporary, file
        file.close()
        unfinished.discard(temporary)


def _sweep(folder: Path) -> None:
    """Removes what killed writers left."""
    for name in names(folder, f".*.{'[0-9a-f]' * 32}.tmp"):
        left = folder / name
        with suppress(OSError):  # a link, no longer there, another's, or still written
            descriptor = os.open(left, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if _lock(descriptor):
                    left.unlink()
            finally:
                os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Locks an open file, without waiting; whether the disk knows locks.

    Raises:
        BlockingIOError: if another process holds it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in UNLOCKABLE:
            raise
        return False
    return True
