"""Which files of a population ship with the repository, and are they still those?

`<root>/<profile>/<agent>/SHA256SUMS` lists them in the format of sha256sum: checkpoints of all steps or of some, and
metrics. A shipped seed is complete with the steps that are listed. A file that is sound, but not the one
that is listed, was trained in its place and is its user's own.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from muzero_probe import files
from muzero_probe.checkpoints import CheckpointError, checkpoint_path

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (seed_([0-9]+)/step_([0-9]+)\.safetensors|metrics/[A-Za-z0-9_.-]+\.csv)")


class Changed(NamedTuple):
    """Listed files that are no longer there as they ship, each in the order of the list."""

    absent: list[Path]
    other: list[Path]  # damaged, or trained in their place


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """What ships of one agent in one profile; nothing where there is no list."""

    digests: Mapping[Path, str]  # SHA-256 of every listed file
    checkpoints: Mapping[tuple[int, int], Path]  # those among them that are checkpoints, by seed and step

    @property
    def seeds(self) -> list[int]:
        """Seeds that ship, ascending."""
        return sorted({seed for seed, _ in self.checkpoints})

    def wanted(self, seed: int, steps: Sequence[int]) -> list[int]:
        """Returns the steps that make a seed complete: those that ship, of another seed all of `steps`."""
        return [step for of, step in sorted(self.checkpoints) if of == seed] or list(steps)

    def changed(self, seeds: Collection[int] | None = None) -> Changed:
        """Compares the files with the list: with `seeds` only their checkpoints, else all and metrics, too.

        Raises:
            OSError: if a folder cannot be read.
        """
        chosen = list(self.digests)
        if seeds is not None:
            chosen = [path for (seed, _), path in self.checkpoints.items() if seed in seeds]
        there = {path: _digest(path) for path in chosen}
        return Changed(
            absent=[path for path, digest in there.items() if digest is None],
            other=[path for path, digest in there.items() if digest not in (None, self.digests[path])],
        )

    def whole(self, seeds: Collection[int]) -> bool:
        """Whether all of these seeds ship, and their checkpoints are there as they do."""
        return set(seeds) <= set(self.seeds) and not any(self.changed(seeds))

    def mend(self, *paths: Path) -> str:
        """Returns what brings listed files back, as the end of a message; nothing for files that are not listed."""
        listed = [path for path in paths if path in self.digests]
        if not listed:
            return ""
        agent = listed[0].parents[1]
        once = "once deleted, " if any(path.exists() for path in listed) else ""  # training replaces nothing
        return (
            f": git checkout -- {listed[0] if len(listed) == 1 else agent} brings back what ships; {once}"
            f"make train-seeds PROFILE={agent.parent.name} AGENT={agent.name} trains it again"
        )

    def lost(self, absent: Sequence[Path]) -> str:
        """Returns in one line which listed files are absent, and what brings them back."""
        more = f", and {len(absent) - 1} more" if len(absent) > 1 else ""
        return f"{absent[0]}: ships with the repository, and is gone{more}{self.mend(*absent)}"


NOTHING = Shipped(digests={}, checkpoints={})


def list_path(root: str | Path, profile: str, agent: str) -> Path:
    """Returns where the list of a population belongs.

    Raises:
        ValueError: if a name cannot be part of a path.
    """
    return checkpoint_path(root, profile, agent, 0, 0).parents[1] / NAME


def read(root: str | Path, profile: str, agent: str) -> Shipped:
    """Reads the list of a population; an empty one where there is none.

    Raises:
        CheckpointError: if a line is none that `write` writes.
        OSError: if it cannot be read.
        ValueError: if a name cannot be part of a path.
    """
    path = list_path(root, profile, agent)
    try:
        lines = files.read(path).decode(errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        lines = []
    digests, checkpoints = {}, {}
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        file = path.parent / found[2] if found else None
        if found and found[3]:
            seed, step = int(found[3]), int(found[4])
            checkpoints[seed, step] = checkpoint_path(root, profile, agent, seed, step)
            file = file if file == checkpoints[seed, step] else None
        if not found or file is None:
            raise CheckpointError(
                f"{path}: line {number} is not the SHA-256 and the name of a checkpoint or of metrics: "
                f"put it back with: git checkout -- {path}"
            )
        digests[file] = found[1]
    return Shipped(digests=digests, checkpoints=checkpoints)


def write(root: str | Path, profile: str, agent: str, paths: Sequence[Path]) -> Path:
    """Writes the list of some files of a population, and returns its path.

    Raises:
        OSError: if a file cannot be read, or the list cannot be written.
    """
    path = list_path(root, profile, agent)
    names = {each.relative_to(path.parent).as_posix(): each for each in paths}
    lines = [f"{hashlib.sha256(files.read(each)).hexdigest()}  {name}\n" for name, each in sorted(names.items())]
    files.replace(path, ["".join(lines).encode()])
    return path


def _digest(path: Path) -> str | None:
    """Returns a file's SHA-256, None where there is none; empty where it cannot be read."""
    try:
        return hashlib.sha256(files.read(path)).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return ""
