"""The command line: muzero-probe train | play | diagnose | status | agents.

Exit codes are those of `DESCRIPTION`; trouble is one line on stderr, without a traceback.
"""

import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from rich.console import Console
from rich.table import Table

from muzero_probe import compiled, shipped, threads
from muzero_probe.agents import Agent, load, names
from muzero_probe.checkpoints import ROOT, CheckpointError, resume_folder
from muzero_probe.cli import arguments, diagnose, play
from muzero_probe.cli.seeds import show_seeds
from muzero_probe.config import MOST_STEPS, SearchConfig, TrainingConfig
from muzero_probe.runs import inventory, progress
from muzero_probe.runs.run import Run, train

PROGRAM = "muzero-probe"
DESCRIPTION = """Trains MuZero populations, says what is there of them, plays with their agents, and says what is wrong
with them.

Analyses, figures and the report are no part of the installed package: they are run in a checkout of the
repository, as python -m analyses, figures and report.

Exit code 0 is success; 1 is trouble with files (damage, other settings, another process that trains the same
seeds); 2 is a command that says something unknown or impossible."""
COMMANDS = ("train", "play", "diagnose", "status", "agents")
OF_AN_AGENT = ("train", "play", "diagnose")

_NAME = tyro.conf.arg(metavar="NAME")


@dataclass(frozen=True, kw_only=True)
class Train:
    """Trains seeds of an agent together and saves their checkpoints.

    Stopped at any moment, even killed, the same command goes on and comes to the same bits.
    The defaults shown are those of the agent and the profile that the command names.
    """

    agent: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="AGENT")]
    """What to train: a name that `muzero-probe agents` lists, or the path of a file that defines it, which is run."""
    profile: str = "quick"
    """Size of the study; `muzero-probe agents` lists each agent's."""
    seeds: Annotated[tuple[int, ...], diagnose.SEEDS]
    """Seeds to train: 0:30 is 0 to 29; also 3 or 0,4,7."""
    device: str = "cpu"
    """Device of nets and updates: cpu, cuda, cuda:1 and so on."""
    root: Path = ROOT
    """Folder of all checkpoints."""
    resume_minutes: float = 5.0
    """Least wall time between two resume states that are not behind a checkpoint."""
    metrics_every: int = 500
    """Updates between two sets of metrics."""
    training: TrainingConfig
    search: SearchConfig
    nets: Any

    def __post_init__(self) -> None:
        if not (math.isfinite(self.resume_minutes) and self.resume_minutes >= 0):
            raise ValueError(f"resume-minutes is {self.resume_minutes}, it must be 0 or more")
        if self.metrics_every < 1:
            raise ValueError(f"metrics-every is {self.metrics_every}, at least 1 is needed")
        if self.metrics_every > MOST_STEPS:
            raise ValueError(f"metrics-every is {self.metrics_every}, at most {MOST_STEPS:,} are possible")


@dataclass(frozen=True, kw_only=True)
class Status:
    """Shows which checkpoints are there, which are missing, and whether they are sound.

    Every file is verified; with a damaged one, or one that ships with the repository and is gone, the exit code is 1.
    """

    root: Path = ROOT
    """Folder of all checkpoints."""
    profile: Annotated[str | None, _NAME] = None
    """The only profile to show."""
    agent: Annotated[str | None, _NAME] = None
    """The only agent to show."""
    seeds: Annotated[tuple[int, ...] | None, diagnose.SEEDS] = None
    """The only seeds to show; by default the profile's, and all that are there."""

    def __post_init__(self) -> None:
        """Refuses names that cannot be part of a path."""
        resume_folder(self.root, self.profile or "any", self.agent or "any", [0])


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Lists what can be trained: agents and their profiles."""


Command = Train | play.Play | diagnose.Diagnose | Status | Agents
OfAnAgent = Train | play.Play | diagnose.Diagnose


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Args:
        words: without the program's name; None takes the process's own.
    """
    given = sys.argv[1:] if words is None else list(words)
    goes_on = "; the same command goes on from the last resume state" if given[:1] == ["train"] else ""
    return arguments.run(
        PROGRAM, given, _asked, lambda work: work(), troubles=(CheckpointError, ValueError),
        interrupted=f"interrupted{goes_on}",
    )  # fmt: skip


def _asked(words: Sequence[str]) -> Callable[[], int]:
    """Returns what the command does."""
    command = _parse(words)
    if isinstance(command, Train):
        return partial(_train, command, _run_of(command))
    if isinstance(command, play.Play):
        threads.configure()
        compiled.say_first()
        return partial(play.show, command, play.player(command))
    if isinstance(command, diagnose.Diagnose):
        threads.configure()
        compiled.say_first()
        return partial(diagnose.show, command, diagnose.population(command))
    return partial(_status, command) if isinstance(command, Status) else _agents


def _parse(words: Sequence[str]) -> Command:
    if not words or not (words[0] in COMMANDS or words[0].startswith("-")):
        found = f"command {words[0]!r} is unknown" if words else "a command is missing"
        raise ValueError(f"{found}, there are {', '.join(COMMANDS)}")
    of_an_agent = words[0] in OF_AN_AGENT
    if of_an_agent and (named := arguments.option(words, "--agent")):  # the name stands by itself otherwise
        words = [words[0], named, *_without(words[1:], "--agent")]
    reference = next(filter(_may_be_an_agent, words[1:]), "cartpole") if of_an_agent else "cartpole"
    command = _parse_with(words, load(reference), arguments.option(words, "--profile"))
    if isinstance(command, OfAnAgent) and command.agent != reference:
        # another word than the agent was taken for it
        command = _parse_with(words, load(command.agent), command.profile)
    if isinstance(command, OfAnAgent):
        load(command.agent).profile(command.profile)  # refuses what it has not
    return command


def _may_be_an_agent(word: str) -> bool:
    return word in names() or (word.endswith(".py") and os.path.isfile(word))


def _without(words: Sequence[str], option: str) -> list[str]:
    """Returns the words without an option and its value."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip or word == option or word.startswith(f"{option}="):
            skip = word == option
            continue
        kept.append(word)
    return kept


def _parse_with(words: Sequence[str], agent: Agent, profile: str | None) -> Command:
    """Parses with the defaults of one agent and profile, or of the agent's first one where it has no such profile."""
    usual = "quick" if "quick" in agent.profiles else next(iter(agent.profiles))
    given = agent.profiles.get(profile or usual, agent.profiles[usual])
    # the kind of nets is the agent's
    kind: Any = make_dataclass("Train", [("nets", type(given.nets))], bases=(Train,), frozen=True, kw_only=True)
    kind.__doc__ = Train.__doc__
    default = kind(
        agent=tyro.MISSING, profile=profile or usual, seeds=tuple(range(given.seeds)), training=given.training,
        search=given.search, nets=given.nets,
    )  # fmt: skip
    playing = play.Play(agent=tyro.MISSING, profile=profile or usual)
    diagnosing = diagnose.Diagnose(agent=tyro.MISSING, profile=profile or usual)
    commands: Any = Union[  # noqa: UP007
        Annotated[kind, tyro.conf.subcommand("train", default=default)],
        Annotated[play.Play, tyro.conf.subcommand("play", default=playing)],
        Annotated[diagnose.Diagnose, tyro.conf.subcommand("diagnose", default=diagnosing)],
        Annotated[Status, tyro.conf.subcommand("status")],
        Annotated[Agents, tyro.conf.subcommand("agents")],
    ]
    return arguments.parse(commands, words, program=PROGRAM, description=DESCRIPTION)


def _run_of(command: Train) -> Run:
    agent = load(command.agent)
    config = replace(agent.config(command.profile), nets=command.nets, search=command.search, training=command.training)
    return Run(
        agent=agent, config=config, profile=command.profile, seeds=command.seeds, root=command.root,
        device=command.device,
    )  # fmt: skip


def _train(command: Train, run: Run) -> int:
    threads.configure()
    compiled.say_first()
    title = f"{run.config.agent}/{run.profile}"
    S, steps = len(run.seeds), run.config.training.steps
    with progress.shown(title, steps=steps, seeds=S) as report:
        took = train(run, resume_minutes=command.resume_minutes, metrics_every=command.metrics_every, report=report)
    what = f"{title}: seeds {show_seeds(run.seeds)}"
    if took is None and shipped.read(run.root, run.profile, run.config.agent).whole(run.seeds):
        print(f"{what} ship with the repository: nothing is trained; --root with another folder trains them anew")
        return 0
    if took is None:
        print(f"{what} are complete: all checkpoints of {len(run.config.training.checkpoints)} steps in {run.folder}")
        return 0
    over = f" ({progress.duration(took.total_seconds)} over {took.starts} starts)" if took.starts > 1 else ""
    print(
        f"{what} trained to step {steps} in {progress.duration(took.seconds)}{over}, "
        f"{took.updates * S / took.seconds:,.1f} seed-updates/s, peak memory {_peak_memory():,.0f} MiB, "
        f"checkpoints in {run.folder}"
    )
    for seed, what in took.sick.items():
        arguments.trouble(PROGRAM, f"seed {seed} was given up: {what}; its later checkpoints are not there", 1)
    return 1 if took.sick else 0


def _status(command: Status) -> int:
    if not os.path.isdir(command.root):
        return arguments.trouble(PROGRAM, f"there is no folder {command.root}", 1)
    known = [(profile, agent) for agent in names() for profile in load(agent).profiles]
    there = inventory.populations(command.root)
    for what, name, existing in (
        ("profile", command.profile, {profile for profile, _ in there + known}),
        ("agent", command.agent, {agent for _, agent in there + known}),
    ):
        if name is not None and name not in existing:
            return arguments.trouble(PROGRAM, f"{what} {name!r} is unknown, there are {', '.join(sorted(existing))}", 2)
    chosen = [
        (profile, agent)
        for profile, agent in sorted(set(there + known) if command.profile or command.agent else there)
        if command.profile in (None, profile) and command.agent in (None, agent)
    ]
    if not chosen:
        _say(f"nothing is there under {command.root.absolute()}")
    table = Table("profile", "agent", "config", "step", "there", "missing seeds")
    misnamed = inventory.misnamed(command.root)
    notes = [f"left out: {path} is not named as profiles and agents can be" for path in misnamed]
    damaged: list[str] = []
    for profile, agent in chosen:
        found = inventory.survey(command.root, profile, agent, seeds=command.seeds)
        table.add_section()
        name = (profile, agent, "\n".join(map(arguments.shown, found.hashes)) or "-")
        for step in found.steps:
            missing, wanted = found.missing(step), found.wanted(step)
            count = f"{len(wanted) - len(missing)} of {len(wanted)}"
            table.add_row(*name, f"{step:,}", count, show_seeds(missing) or "-")
            name = ("", "", "")
        if not found.steps:
            table.add_row(*name, "-", "-", "-")
        if len(found.hashes) > 1:
            mixed = "; ".join(f"{key}: seeds {show_seeds(of)}" for key, of in found.hashes.items())
            notes.append(f"{profile}/{agent} mixes {len(found.hashes)} configs: {mixed}")
        if ship := sorted({*found.ships.seeds} & {*found.seeds}):
            notes.append(f"{profile}/{agent}: seeds {show_seeds(ship)} ship with the repository")
        if found.other:
            more = f", and {len(found.other) - 1} more" if len(found.other) > 1 else ""
            notes.append(f"{found.other[0]}{more}: other than what ships{found.ships.mend(*found.other)}")
        for state in found.states:
            where = f"{profile}/{agent}: seeds {show_seeds(state.seeds)}"
            notes.append(f"{where} are unfinished, at step {state.step} (config {state.config_hash})")
        damaged += found.damaged
    if chosen:
        _console().print(table)
    for line in notes + [f"damaged: {line}" for line in damaged]:
        _say(line)
    return 1 if damaged else 0


def _say(line: str) -> None:
    """Prints a line that may tell of files."""
    print(arguments.shown(line))


def _agents() -> int:
    table = Table("agent", "title", "profile", "steps", "seeds", "checkpoints")
    for name in names():
        agent = load(name)
        table.add_section()
        for profile, p in agent.profiles.items():
            t = p.training
            table.add_row(
                name,
                agent.title,
                profile,
                f"{t.steps:,}",
                show_seeds(range(p.seeds)),
                " ".join(map(str, t.checkpoints)),
            )
    _console().print(table)
    for line in filter(None, (load(name).lacks() for name in names())):
        print(line)
    return 0


def _peak_memory() -> float:
    """Returns the largest resident size so far, in MiB; nan where the system does not tell."""
    try:
        import resource
    except ImportError:
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _console() -> Console:
    return Console(markup=False) if sys.stdout.isatty() else Console(markup=False, width=120)


if __name__ == "__main__":
    sys.exit(main())
