"""What is on disk, and can it be trusted? The only module that knows the format.

    <root>/<profile>/<agent>/seed_007/step_00002000.safetensors               one seed's networks
    <root>/<profile>/<agent>/resume/seeds_000-029/state_00002000.safetensors  a run, to go on from

A file is plain safetensors: arrays and a header of strings, nothing that is ever executed. Its
digest is the SHA-256 of the whole file with the digest's own 64 digits read as zeros: it covers
names, dtypes, shapes, values and the rest of the header, and every load verifies it.

A file appears complete or not at all: it is written under a temporary name, flushed to the disk,
and renamed. A folder has one writer: the process that holds its seeds' locks (`lock_seeds`).

Seeds come in ascending order. What cannot be part of a path, be it a name, a seed or a step, raises
ValueError; what cannot be stored raises TypeError; what is wrong on disk raises CheckpointError.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muzero_probe import arrays as array_files
from muzero_probe import files
from muzero_probe.arrays import ArrayFileError, Arrays
from muzero_probe.provenance import commit, versions

logger = logging.getLogger(__name__)

ROOT = Path("checkpoints")
FORMAT = "muzero-probe"
FORMAT_VERSION = "1"

_STEM = {"checkpoint": "step", "resume": "state"}  # kind -> how its file names begin

Json = Mapping[str, Any]


class CheckpointError(Exception):
    """A file or folder of this format is not what it should be; one line says which, and why."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """Who wrote a file, and what it holds."""

    kind: str  # checkpoint | resume
    agent: str
    profile: str
    seeds: list[int]  # one in a checkpoint
    step: int  # training steps done
    config: dict[str, Any]  # as JSON returns it: tuples have become lists
    config_hash: str
    versions: dict[str, str]  # of Python and of the packages that were installed; BLAS and processor
    commit: str  # of the code; "-dirty" if tracked files differed; "unknown" outside a checkout
    digest: str
    meta: dict[str, Any]  # a resume state's; empty in a checkpoint

    @property
    def seed(self) -> int:
        """A checkpoint's only seed."""
        (seed,) = self.seeds
        return seed


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Header):
    """One seed's networks at one step, and the header."""

    arrays: dict[str, np.ndarray]  # float32, no seed axis, writable, sorted by name


def config_hash(config: Json) -> str:
    """Returns the first 12 hex digits of the SHA-256 of a config's canonical JSON.

    The order of keys does not matter, nor does a round trip through JSON; 1 and 1.0 differ.
    """
    # To JSON and back first: keys that become strings sort differently afterwards.
    text = json.dumps(json.loads(json.dumps(config)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def checkpoint_path(root: str | Path, profile: str, agent: str, seed: int, step: int) -> Path:
    """Returns where the checkpoint of one seed and step belongs."""
    (seed,) = _ascending([seed])
    return _folder(root, profile, agent) / f"seed_{seed:03d}" / _name("checkpoint", step)


def resume_folder(root: str | Path, profile: str, agent: str, seeds: Sequence[int]) -> Path:
    """Returns where the resume states of a run belong, by its seeds alone.

    `seeds_007`, `seeds_000-029` for a range, `seeds_000_003_007` for up to eight others, and
    `seeds_000_003_and_10_more_1a2b3c4d` beyond that.
    """
    seeds = _ascending(seeds)
    names = [f"{seed:03d}" for seed in seeds]
    name = "_".join(names)
    if len(seeds) > 1 and seeds[-1] - seeds[0] == len(seeds) - 1:
        name = f"{names[0]}-{names[-1]}"
    elif len(seeds) > 8:
        tail = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{names[0]}_{names[1]}_and_{len(names) - 2}_more_{tail}"
    return _folder(root, profile, agent) / "resume" / f"seeds_{name}"


def list_checkpoints(root: str | Path, profile: str, agent: str) -> list[tuple[int, int, Path]]:
    """Returns (seed, step, path) of an agent's checkpoints, sorted, by their names alone.

    Raises:
        CheckpointError: if a seed's folder, or a safetensors file in it, has an unexpected name.
        OSError: if a folder cannot be read.
    """
    found = []
    of_agent = _folder(root, profile, agent)
    for name in files.names(of_agent, "seed_*"):
        folder, digits = of_agent / name, name.removeprefix("seed_")
        if not digits.isdecimal() or digits != f"{int(digits):03d}" or not folder.is_dir():
            raise CheckpointError(f"{folder}: is not a seed's folder, such as seed_007")
        found += [(int(digits), step, path) for step, path in _list("checkpoint", folder)]
    return sorted(found)


def save_checkpoint(
    root: str | Path,
    *,
    agent: str,
    profile: str,
    seed: int,
    step: int,
    config: Json,
    arrays: Arrays,  # float32, no seed axis
    overwrite: bool = False,
) -> Path:
    """Writes one seed's networks and returns the path.

    Does nothing if the checkpoint is there with the same arrays and config: a resumed run comes
    past the same steps again, perhaps at another commit. `overwrite` replaces whatever is there.

    Raises:
        CheckpointError: if other content, or a damaged file, is there already.
    """
    path = checkpoint_path(root, profile, agent, seed, step)
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise TypeError(f"{name}: a checkpoint holds float32, not {array.dtype}")
    if path.exists() and not overwrite:
        there = load_checkpoint(path)
        if there.config_hash != config_hash(config):
            raise CheckpointError(f"{path}: is there with another config; not overwritten")
        if _bits(there.arrays) != _bits(arrays):
            raise CheckpointError(f"{path}: is there with other arrays; not overwritten")
        return path
    run = {"agent": agent, "profile": profile, "seeds": [seed], "step": step}
    array_files.save(path, arrays, _fields("checkpoint", run, config, meta={}))
    return path


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads and verifies one seed's networks.

    Raises:
        CheckpointError: if the file is missing, damaged, altered, of another kind or format version, holds numbers
            that are not finite, or is not of the agent, profile, seed and step that its path says.
    """
    header = _read(Path(path), kinds=("checkpoint",), verify=True)
    arrays = array_files.load(Path(path))
    if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"):
        raise CheckpointError(f"{path}: holds numbers that are not finite, an agent that was no longer trained")
    return Checkpoint(**vars(header), arrays=arrays)


def verify(path: str | Path) -> Header:
    """Reads the header of one seed's networks, and all of the file with it.

    Raises:
        CheckpointError: as `load_checkpoint`.
    """
    found = load_checkpoint(path)
    return Header(**{name: getattr(found, name) for name in Header.__annotations__})


def read_header(path: str | Path) -> Header:
    """Reads the header of either kind of file, cheaply: the digest is *not* verified.

    Raises:
        CheckpointError: as `load_checkpoint`, as far as that shows without reading the arrays.
    """
    return _read(Path(path), kinds=tuple(_STEM), verify=False)


def save_resume(
    folder: str | Path,  # the run's `resume_folder`
    *,
    agent: str,
    profile: str,
    seeds: Sequence[int],
    step: int,
    config: Json,
    arrays: Arrays,  # bool, integer, float up to 64 bits
    meta: Json,
) -> Path:
    """Writes all that a run needs to go on, then drops all states but the newest two.

    `meta` comes back as JSON returns it: integers of any size survive (so the state of a PCG64
    generator does), tuples become lists and all keys strings.

    Raises:
        CheckpointError: if the folder holds a state of a later step.
        ValueError: if the folder is not this run's, or the header grows beyond 100 MB.
    """
    folder, place = Path(folder), resume_folder("", profile, agent, seeds)
    if not _is_at(folder, place):
        raise ValueError(f"{folder}: this run's states belong in {place}")
    if (states := _list("resume", folder)) and states[-1][0] > step:
        raise CheckpointError(f"{states[-1][1]}: is later than step {step}: resume it or delete it")
    path = folder / _name("resume", step)
    run = {"agent": agent, "profile": profile, "seeds": seeds, "step": step}
    array_files.save(path, arrays, _fields("resume", run, config, meta))
    for _, old in _list("resume", folder)[:-2]:
        old.unlink()
    return path


def load_latest_resume(
    folder: str | Path,
) -> tuple[dict[str, np.ndarray], dict[str, Any], Header] | None:
    """Reads and verifies a run's newest state: writable arrays, meta, header; None without one.

    Raises:
        CheckpointError: if the newest state cannot be trusted; it says what is left to do.
    """
    states = _list("resume", Path(folder))
    if not states:
        return None
    path = states[-1][1]
    try:
        header = _read(path, kinds=("resume",), verify=True)
    except CheckpointError as error:
        rest = f"continue from {states[-2][1]}" if len(states) > 1 else "start from the beginning"
        raise CheckpointError(f"{error}; delete it to {rest}") from error
    return array_files.load(Path(path)), header.meta, header


@contextmanager
def lock_seeds(root: str | Path, profile: str, agent: str, seeds: Sequence[int]) -> Iterator[Callable[[], None]]:
    """Holds the right to write these seeds' files: all of them or none, without waiting.

    The operating system drops the locks with the process, however it ends; `.lock` files stay.

    Yields:
        A function that raises `CheckpointError` if a folder is another one since, or gone.

    Raises:
        CheckpointError: if one of the seeds is locked already.
    """
    locks: dict[Path, os.stat_result] = {}

    def check() -> None:
        for path, before in locks.items():
            if not path.exists() or not os.path.samestat(path.stat(), before):
                raise CheckpointError(f"{path.parent}: was deleted or replaced while its seed is trained")

    with ExitStack() as held:
        for seed in _ascending(seeds):
            folder = checkpoint_path(root, profile, agent, seed, 0).parent
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / ".lock"
            files.check_place(path)
            try:
                known = held.enter_context(files.held(path))
            except BlockingIOError:
                raise CheckpointError(f"seed {seed} of {folder.parent} is being trained by another process") from None
            if not known:
                logger.warning("%s: this disk knows no locks, nothing keeps two processes from one seed", folder)
            locks[path] = path.stat()
        yield check


def _folder(root: str | Path, profile: str, agent: str) -> Path:
    for name in (profile, agent):
        files.check_name(name)
    return Path(root) / profile / agent


def _name(kind: str, step: int) -> str:
    if step < 0:
        raise ValueError(f"step {step} is negative")
    return f"{_STEM[kind]}_{step:08d}.safetensors"


def _list(kind: str, folder: Path) -> list[tuple[int, Path]]:
    """Returns (step, path) of a folder's files, sorted; no unexpected name is skipped."""
    found = []
    for name in files.names(folder, "*.safetensors"):
        path = folder / name
        digits = path.stem.removeprefix(f"{_STEM[kind]}_")
        if not digits.isdecimal() or path.name != _name(kind, int(digits)):
            raise CheckpointError(f"{path}: has an unexpected name; {_name(kind, 2000)} is one")
        found.append((int(digits), path))
    return sorted(found)


def _is_at(path: Path, place: Path) -> bool:
    return Path(os.path.abspath(path)).parts[-len(place.parts) :] == place.parts


def _ascending(seeds: Sequence[int]) -> list[int]:
    result = [int(seed) for seed in seeds]
    if not result or result[0] < 0 or result != sorted(set(result)):
        raise ValueError(f"seeds {result}: one or more are needed, ascending, none negative")
    return result


def _bits(arrays: Arrays) -> dict[str, tuple[tuple[int, ...], bytes]]:
    return {name: (array.shape, array.tobytes()) for name, array in arrays.items()}


def _fields(kind: str, run: Json, config: Json, meta: Json) -> dict[str, str]:
    """Returns the header's strings; all that are no strings by nature are JSON."""
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "kind": kind}
    own |= {"agent": run["agent"], "profile": run["profile"], "step": json.dumps(int(run["step"]))}
    own |= {"seeds": json.dumps(_ascending(run["seeds"])), "meta": json.dumps(meta)}
    own |= {"config": json.dumps(config), "config_hash": config_hash(config)}
    return own | {"versions": json.dumps(versions()), "commit": commit()}


def _read(path: Path, *, kinds: tuple[str, ...], verify: bool) -> Header:
    try:
        fields = array_files.fields(path)
        if fields.get("format") != FORMAT:
            raise CheckpointError(f"{path}: is not a {FORMAT} file")
        if (version := fields["format_version"]) != FORMAT_VERSION:
            raise CheckpointError(f"{path}: has format version {version}, not {FORMAT_VERSION}")
        if (kind := fields["kind"]) not in kinds:
            raise CheckpointError(f"{path}: is of kind {kind!r}, not {' or '.join(kinds)}")
        if verify:
            array_files.verify(path, fields["digest"])
        values: dict[str, Any] = {name: fields[name] for name in Header.__annotations__}
        for name in ("seeds", "step", "config", "versions", "meta"):
            values[name] = json.loads(fields[name])
        header = Header(**values)
        if kind == "checkpoint":
            place = checkpoint_path("", header.profile, header.agent, header.seed, header.step)
        else:
            place = resume_folder("", header.profile, header.agent, header.seeds) / _name("resume", header.step)
    except ArrayFileError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    except KeyError as error:
        raise CheckpointError(f"{path}: its header has no {error}") from error
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its header is damaged ({error})") from error
    if not _is_at(path, place):
        raise CheckpointError(f"{path}: was written as {place}; renamed, moved or copied?")
    return header
