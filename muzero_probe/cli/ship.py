"""`python -m muzero_probe.cli.ship AGENT`: lists a population that shall ship with the repository, for a release.

Refuses what is incomplete, damaged, of other settings than its profile's, or made by code that no commit holds.
"""

from muzero_probe.cli import start  # isort: split

if __name__ == "__main__":  # before anything large is imported
    start.begin("python -m muzero_probe.cli.ship")


import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from muzero_probe import files, shipped
from muzero_probe.agents import Agent, load, names
from muzero_probe.checkpoints import ROOT, CheckpointError, checkpoint_path, config_hash, verify
from muzero_probe.cli import arguments
from muzero_probe.cli.seeds import show_seeds
from muzero_probe.runs import inventory
from muzero_probe.runs.metrics import read_table

PROGRAM = "python -m muzero_probe.cli.ship"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Writes the list of a population that ships with the repository: all seeds of its profile, and their metrics."""

    agent: Annotated[str, tyro.conf.Positional]
    """Agent that was trained."""
    profile: str = "quick"
    """Profile that it was trained in."""
    steps: tuple[int, ...] = ()
    """Steps whose checkpoints ship; all by default."""
    root: Path = ROOT
    """Folder of the checkpoints."""

    def __post_init__(self) -> None:
        """Refuses what cannot ship: unknown names, and steps with which the profile's analyses would not run."""
        if self.agent not in names():
            raise ValueError(f"agent {self.agent!r} is unknown, there are {', '.join(names())}")
        kept = load(self.agent).config(self.profile).training.checkpoints
        if unknown := set(self.steps) - set(kept):
            raise ValueError(f"steps {sorted(unknown)} are no checkpoints of {self.profile}, which has {list(kept)}")
        needed = measured(load(self.agent), self.profile)
        if self.steps and (lacking := needed - set(self.steps)):
            raise ValueError(f"steps lack {sorted(lacking)}: the analyses of {self.profile} need {sorted(needed)}")


def measured(agent: Agent, profile: str) -> set[int]:
    """Returns the steps that a profile's analyses name, and the last one, which stands for none."""
    p = agent.profile(profile)
    found = {p.training.checkpoints[-1]}
    for settings in p.analyses.values():
        if isinstance(settings, Mapping):
            found |= {*settings.get("steps", ()), *([settings["step"]] if "step" in settings else ())}
    return found


def chosen(root: Path, agent: Agent, profile: str, steps: Sequence[int] = ()) -> list[Path]:
    """Returns the files that ship of a population: checkpoints of all its seeds at some steps, and metrics.

    Args:
        root: of all checkpoints.
        agent: that was trained.
        profile: of the population.
        steps: that ship; all by default.

    Raises:
        CheckpointError: in one line, at the first file that is absent, damaged, of other settings, or made by code that
            no commit holds; or if a run is unfinished.
    """
    config, seeds = agent.config(profile), range(agent.profile(profile).seeds)
    expected = config_hash(config.to_dict())
    paths = []
    for seed in seeds:
        for step in steps or config.training.checkpoints:
            path = checkpoint_path(root, profile, agent.name, seed, step)
            header = verify(path)
            if header.config_hash != expected:
                what = f"config {header.config_hash}, the profile {profile} has {expected}"
                raise CheckpointError(f"{path}: was trained with other settings: {what}")
            if not re.fullmatch("[0-9a-f]{40}", header.commit):
                raise CheckpointError(f"{path}: was made by {header.commit}, a commit without changes is needed")
            paths.append(path)
    unfinished = [seed for state in inventory.survey(root, profile, agent.name).states for seed in state.seeds]
    if found := set(unfinished) & set(seeds):
        raise CheckpointError(f"{root}/{profile}/{agent.name}: the run of seeds {show_seeds(found)} is unfinished")
    metrics = shipped.list_path(root, profile, agent.name).parent / "metrics"
    tables = [metrics / name for name in files.names(metrics, "*.csv")]
    return paths + [path for path in tables if set(read_table(path)) <= set(seeds)]


def _ship(given: Arguments) -> int:
    agent = load(given.agent)
    paths = chosen(given.root, agent, given.profile, given.steps)
    path = shipped.write(given.root, given.profile, agent.name, paths)
    size = sum(each.stat().st_size for each in paths) / 1e6
    print(f"{path}: {len(paths)} files, {size:.1f} MB")
    with_metrics = {seed for each in paths if each.suffix == ".csv" for seed in read_table(each)}
    if without := set(range(agent.profile(given.profile).seeds)) - with_metrics:
        arguments.trouble(PROGRAM, f"seeds {show_seeds(without)} ship without metrics, there is no table of them", 0)
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for a population that cannot ship, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(
        PROGRAM, given, lambda words: arguments.parse(Arguments, words, program=PROGRAM), _ship,
        troubles=(CheckpointError, ValueError),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
