"""Is a file complete or not there, whoever is killed, links or runs beside?"""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from muzero_probe import files

PROGRAM = """
import os, signal, sys
from pathlib import Path
from muzero_probe import files

def blocks():
    yield b"half of"
    os.kill(os.getpid(), signal.SIGKILL)

files.replace(Path(sys.argv[1]), blocks())
"""


def test_parts_follow_each_other_and_folders_are_made(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "file"
    files.replace(path, [b"one ", b"two"])
    assert files.read(path) == b"one two" and os.listdir(path.parent) == ["file"]


def test_a_failing_writer_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "file"
    files.replace(path, [b"old"])

    def blocks():
        yield b"new"
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        files.replace(path, blocks())
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_killed_writer_leaves_nothing_that_the_next_one_does_not_sweep_away(tmp_path: Path):
    path = tmp_path / "file[1]"
    files.replace(path, [b"old"])
    killed = subprocess.run([sys.executable, "-c", PROGRAM, str(path)])
    assert killed.returncode < 0 and path.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 2
    files.replace(tmp_path / "another", [b"new"])
    assert sorted(os.listdir(tmp_path)) == ["another", "file[1]"]


def test_what_is_still_written_is_not_swept_away(tmp_path: Path):
    path = tmp_path / "file"

    def slow():
        yield b"slow"
        files.replace(path, [b"fast"])
        yield b"est"

    files.replace(path, slow())
    assert path.read_bytes() == b"slowest" and os.listdir(tmp_path) == ["file"]


def test_swept_away_before_it_was_locked_it_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    flock, swept = fcntl.flock, []

    def late(descriptor: int, how: int):
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        return flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    files.replace(tmp_path / "file", [b"new"])
    assert len(swept) == 1 and (tmp_path / "file").read_bytes() == b"new"


def test_a_disk_without_locks_is_written_to_and_nothing_is_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    left = tmp_path / f".other.{'0' * 32}.tmp"
    left.touch()

    def flock(*_: object):
        raise OSError(files.UNLOCKABLE[1], "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    files.replace(tmp_path / "file", [b"new"])
    assert (tmp_path / "file").read_bytes() == b"new" and left.exists()


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path):
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_bytes(b"another's")
    path.symlink_to(target)
    (tmp_path / f".file.{'0' * 32}.tmp").symlink_to(target)
    files.replace(path, [b"new"])
    assert target.read_bytes() == b"another's" and path.read_bytes() == b"new" and not path.is_symlink()


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing"])
def test_only_regular_files_are_read(tmp_path: Path, kind: str):
    path = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(path)  # opened for reading, it would wait for ever
    if kind == "folder":
        path.mkdir()
    for reader in (files.read, files.check):
        with pytest.raises(OSError, match="file"):
            reader(path)


def test_what_was_sealed_is_opened_as_it_was(tmp_path: Path):
    data = files.sealed(b"a\nmuzero-probe: b", "an agent")
    assert data.startswith(b"a\nmuzero-probe: b") and files.opened(data) == (b"a\nmuzero-probe: b", "an agent")


def test_every_byte_of_what_was_sealed_counts():
    data = files.sealed(b"content", "agent")
    changed = [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(len(data))]
    for other in [*changed, *(data[:length] for length in range(len(data))), data + b"\n", b"content", b""]:
        with pytest.raises(ValueError, match=r"cut|altered"):
            files.opened(other)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("folder", "is a folder, not a file"),
        ("pipe", "is no regular file"),
        ("file/x", "is no folder"),
        ("file/y/x", "is no folder"),
        ("pipe/x", "is no folder"),
        ("x" * 256, "too long"),
    ],
)
def test_places_where_no_file_can_be_are_named_and_left(path: str, says: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for refuse in (files.check_place, lambda place: files.replace(place, [b""])):
        with pytest.raises(OSError, match=says):
            refuse(tmp_path / path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "pipe"]


def test_places_where_a_file_can_be(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for path in ("file", "link", "new", "no/such/folder/new"):
        files.check_place(tmp_path / path)
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize("name", ["", "a b", ".a", "-a", "a/b", "..", "a\n", "ä", "x" * 101])
def test_what_is_no_name(name: str):
    with pytest.raises(ValueError, match="cannot be the name of a profile or an agent: up to 100 letters"):
        files.check_name(name)


def test_a_full_disk_is_told_with_the_file_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        files.replace(tmp_path / "file", [b"content"])
    assert caught.value.filename == str(tmp_path / "file") and not list(tmp_path.iterdir()) and not files.unfinished


def test_a_lock_has_one_holder(tmp_path: Path):
    with files.held(tmp_path / "lock") as known:
        assert known
        with pytest.raises(BlockingIOError), files.held(tmp_path / "lock"):
            pass
    with files.held(tmp_path / "lock"):
        pass
    assert os.listdir(tmp_path) == ["lock"]


def test_names_in_a_folder(tmp_path: Path):
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).touch()
    assert files.names(tmp_path, "*.csv") == ["a.csv", "b.csv"] and len(files.names(tmp_path)) == 3
    assert files.names(tmp_path / "none") == files.names(tmp_path / "c.txt") == []
    with pytest.raises(OSError, match="too long"):  # where `Path.glob` finds nothing from Python 3.13 on
        files.names(tmp_path / ("x" * 300))


def test_modules_of_a_folder_that_cannot_be_read(tmp_path: Path):
    for name in ("b.py", "a.py", "_hidden.py", "__init__.py", "c.txt"):
        (tmp_path / name).touch()
    assert files.modules(tmp_path) == ["a", "b"]
    with pytest.raises(OSError, match="too long"):
        files.modules(tmp_path / ("x" * 300))
