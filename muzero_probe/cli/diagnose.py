"""`muzero-probe diagnose`: what is wrong with the agents of a population, seed by seed, in words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro

from muzero_probe.agents import Agent, load
from muzero_probe.checkpoints import ROOT, list_checkpoints
from muzero_probe.cli import arguments
from muzero_probe.cli.play import opened
from muzero_probe.cli.seeds import parse_seeds, show_seeds
from muzero_probe.diagnosis.episodes import of_episodes
from muzero_probe.diagnosis.evidence import Evidence, of_metrics
from muzero_probe.diagnosis.rules import findings, not_judged
from muzero_probe.runs import inventory
from muzero_probe.runs.metrics import Course, read_metrics

SEEDS = tyro.constructors.PrimitiveConstructorSpec(  # of an option that names seeds; None for all
    nargs=1,
    metavar="A:B|A,B,C",
    instance_from_str=lambda args: parse_seeds(args[0]),
    is_instance=lambda value: value is None or isinstance(value, tuple),
    str_from_instance=lambda value: ["all" if value is None else show_seeds(value)],
)
MOST_EPISODES = 1_000


@dataclass(frozen=True, kw_only=True)
class Diagnose:
    """Says of every seed what is wrong with its agent, from its metrics and a few episodes of its last checkpoint.

    The rules and their thresholds are those of docs/tuning.md, Diagnosis. The exit code is 0 whatever is found.
    """

    agent: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="AGENT")]
    """Whom to look at: a name that `muzero-probe agents` lists, or the path of a file that defines it, which is run."""
    profile: str = "quick"
    """Profile that it was trained in."""
    seeds: Annotated[tuple[int, ...] | None, SEEDS] = None
    """The only seeds to look at; by default all that are there."""
    episodes: int = 3
    """Episodes of the last checkpoint to watch, up to 500 steps of each; 0 reads metrics alone."""
    root: Path = ROOT
    """Folder of all checkpoints."""

    def __post_init__(self) -> None:
        if self.episodes < 0:
            raise ValueError(f"episodes is {self.episodes}, it must be 0 or more")
        if self.episodes > MOST_EPISODES:  # they are played side by side
            raise ValueError(f"episodes is {self.episodes}, at most {MOST_EPISODES:,} are possible")


class Population(NamedTuple):
    """What is there of the seeds that a command means."""

    agent: Agent
    seeds: Sequence[int]
    last: dict[int, tuple[int, Path]]  # step and path of the last checkpoint
    courses: dict[int, Course]


def population(command: Diagnose) -> Population:
    """Returns what is there.

    Raises:
        ValueError: in one line, if a seed is named that is not there.
        CheckpointError: if nothing is there, or a table of metrics is damaged.
    """
    agent = load(command.agent)
    last = {seed: (step, path) for seed, step, path in list_checkpoints(command.root, command.profile, agent.name)}
    folder = Path(command.root) / command.profile / agent.name
    courses = read_metrics(folder)
    there = sorted(last.keys() | courses.keys())
    if not there:
        raise inventory.absent(command.root, command.profile, agent, "checkpoints or metrics")
    if lacking := sorted(set(command.seeds or ()) - set(there)):
        raise ValueError(f"{folder}: nothing of seeds {show_seeds(lacking)}, there are {show_seeds(there)}")
    return Population(agent, command.seeds or there, last, courses)


def show(command: Diagnose, there: Population) -> int:
    """Says what is found; returns the exit code.

    Raises:
        CheckpointError: if a checkpoint is damaged.
    """
    agent, seeds, last, courses = there
    unjudged: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))  # seeds by why and rule
    for seed in seeds:
        config, seen, seen_from = agent.config(command.profile), Evidence(), []
        if seed in last:
            step, path = last[seed]
            _, config, env, nets, theta = opened(path, agent, command.profile)
            if command.episodes:
                seen = of_episodes(env, nets, theta, config, seed=seed, step=step, episodes=command.episodes)
                seen_from.append(f"{_episodes(command.episodes)} of the checkpoint of step {step:,}")
        told = Evidence()
        if seed in courses:
            told = of_metrics(courses[seed], config.training)
            seen_from.insert(0, f"metrics to step {int(courses[seed]['step'][-1]):,}")
        evidence = told.over(seen)
        found = findings(evidence)
        print(f"{agent.title}, seed {seed}, by {' and '.join(seen_from) or 'nothing'}: {_count(len(found))}")
        for finding in found:
            _say(f"  {finding.name}: {finding.sentence}")
            _say(f"    usually helps: {finding.helps}")
        for name, why in not_judged(evidence).items():
            unjudged[why][name].append(seed)
    for why, rules in unjudged.items():
        _say(f"not judged, {why}: {', '.join(f'{name} (seeds {show_seeds(of)})' for name, of in rules.items())}")
    return 0


def _episodes(number: int) -> str:
    return f"{number} episode{'s' * (number > 1)}"


def _count(findings: int) -> str:
    return "nothing found" if not findings else f"{findings} finding{'s' * (findings > 1)}"


def _say(line: str) -> None:
    """Prints a line, its indentation kept."""
    print(line[: len(line) - len(line.lstrip())] + arguments.shown(line))
