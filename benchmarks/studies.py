"""`python -m benchmarks.studies`: what whole studies took, of the files that their training left.

Writes a table into docs/performance.md, a row for every table of metrics of a reported profile under checkpoints/. The
times are those of the trainer's parts, of all updates behind the first metrics; saving and drawing are not in them.
Populations that are not there have no row.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import page
from benchmarks.whole_run import PARTS, REPORTED
from muzero_probe import agents
from muzero_probe.checkpoints import ROOT, list_checkpoints, read_header


class Trained(NamedTuple):
    """One process' training of one agent."""

    title: str
    seeds: int
    updates: int  # per seed, behind the first metrics
    environment_steps: int  # per seed, in all
    seconds: dict[str, float]  # by part, of these updates
    made_by: str  # processor, versions and commits in the checkpoints' headers

    @property
    def rate(self) -> float:
        """Seed-updates/s."""
        return self.seeds * self.updates / sum(self.seconds.values())


def trained(root: Path) -> Iterator[Trained]:
    """Yields what every table of metrics of a reported profile says, if it has more than its first metrics."""
    for name, profile in REPORTED.items():
        for path in sorted((root / profile / name / "metrics").glob("*.csv")):
            metrics = pd.read_csv(path)
            seeds = metrics["seed"].unique().tolist()
            shared = metrics.drop_duplicates("step")
            counted = shared.iloc[1:]
            if counted.empty:
                continue
            yield Trained(
                title=f"{agents.load(name).title} `{profile}`",
                seeds=len(seeds),
                updates=int(shared["step"].iloc[-1] - shared["step"].iloc[0]),
                environment_steps=int(shared["environment_steps"].iloc[-1]),
                seconds={part: float(counted[f"seconds_{part}"].sum()) for part in PARTS},
                made_by=made_by(root, profile, name, seeds),
            )


def made_by(root: Path, profile: str, name: str, seeds: Sequence[int]) -> str:
    """Returns processors, versions and commits in the headers of some seeds' checkpoints, in the order of steps."""
    found = sorted((step, seed, path) for seed, step, path in list_checkpoints(root, profile, name) if seed in seeds)
    headers = [read_header(path) for *_, path in found]

    def each(values: Sequence[str]) -> str:
        return ", ".join(dict.fromkeys(values))

    parts = [each([header.versions["processor"] for header in headers])]
    parts += [f"{what} {each([header.versions[what] for header in headers])}" for what in ("python", "torch", "numba")]
    return "; ".join([*parts, each([header.commit[:7] for header in headers])])


def lines(found: Sequence[Trained]) -> list[str]:
    """Returns the table."""
    if not found:
        return ["No population of a reported profile lies under `checkpoints/` here."]
    head = ["", "seeds", "updates", "environment steps", "time", "seed-updates/s", *PARTS, "trained on, by"]
    rows = []
    for of in found:
        total = sum(of.seconds.values())
        shares = [f"{seconds / total:.1%}" for seconds in of.seconds.values()]
        counts = [f"{count:,}" for count in (of.seeds, of.updates, of.environment_steps)]
        rows.append([of.title, *counts, page.duration(total), page.shown(of.rate), *shares, of.made_by])
    return page.table(head, rows)


def main(words: Sequence[str] | None = None) -> None:
    """Prints the table and writes it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="of all checkpoints")
    given = parser.parse_args(words)
    page.put(page.PERFORMANCE, "studies", lines(list(trained(given.root))))


if __name__ == "__main__":
    main()
