"""One way to write a file and one to read it.

A file appears complete or not at all: it is written under a name that no other writer has, flushed to the disk and
renamed, so that a link in its place is replaced and never followed. What a killed writer left is swept away by the next
one in the same folder; a lock on the unfinished file, which dies with its process, tells who still writes.
"""

import errno
import fcntl
import hashlib
import os
import stat
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

UNLOCKABLE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # some shared disks know no locks

SEAL = b"\nmuzero-probe: "


def replace(path: Path, blocks: Iterable[Any]) -> None:
    """Writes a file that appears complete or not at all.

    Args:
        path: of the file; missing folders are made.
        blocks: its bytes, in parts (a single part: `[content]`).

    Raises:
        OSError: if it cannot be written; what was there is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
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
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too
    finally:
        os.close(folder)


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
        file = temporary.open("xb")
        try:
            _lock(file.fileno())
        except BaseException:
            file.close()
            temporary.unlink(missing_ok=True)
            raise
        if os.fstat(file.fileno()).st_nlink:  # nobody swept it away before it was locked
            return temporary, file
        file.close()


def _sweep(folder: Path) -> None:
    """Removes what killed writers left."""
    for left in folder.glob(f".*.{'[0-9a-f]' * 32}.tmp"):
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
