"""The command line: muzero-probe train | status | agents.

Exit codes are those of `DESCRIPTION`; trouble is one line on stderr, without a traceback.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from muzero_probe import threads
from muzero_probe.checkpoints import ROOT, CheckpointError, resume_folder
from muzero_probe.cli import arguments
from muzero_probe.cli.seeds import parse_seeds, show_seeds
from muzero_probe.config import Config, NetsConfig, ResidualNetsConfig, SearchConfig, TrainingConfig
from muzero_probe.presets import PRESETS, SEEDS, population_size, preset
from muzero_probe.runs import inventory, progress
from muzero_probe.runs.run import Run, train

PROGRAM = "muzero-probe"
DESCRIPTION = """Trains MuZero populations and says what is there of them.

Exit code 0 is success; 1 is trouble with files (damage, other settings, another process that trains the same
seeds); 2 is a command that says something unknown or impossible."""
COMMANDS = ("train", "status", "agents")

if TYPE_CHECKING:
    Agent = str
    Profile = str
else:
    Agent = Literal[tuple(PRESETS)]
    Profile = Literal[tuple(SEEDS)]

_SEEDS = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="A:B|A,B,C",
    instance_from_str=lambda args: parse_seeds(args[0]),
    is_instance=lambda value: value is None or isinstance(value, tuple),
    str_from_instance=lambda value: ["all" if value is None else show_seeds(value)],
)
_NAME = tyro.conf.arg(metavar="NAME")


@dataclass(frozen=True, kw_only=True)
class Train:
    """Trains seeds of an agent together and saves their checkpoints.

    Stopped at any moment, even killed, the same command goes on and comes to the same bits.
    The defaults shown are those of the agent and the profile that the command names.
    """

    agent: tyro.conf.Positional[Agent]  # what to train; `muzero-probe agents` lists them
    profile: Profile = "quick"  # size of the study
    seeds: Annotated[tuple[int, ...], _SEEDS]  # 0:30 is 0 to 29; also 3 or 0,4,7
    device: str = "cpu"  # torch device of nets and updates: cpu, cuda, cuda:1, ...
    root: Path = ROOT  # folder of all checkpoints
    resume_minutes: float = 5.0  # least wall time between resume states, but for checkpoints'; 0: with all metrics
    metrics_every: int = 500  # updates between two sets of metrics
    training: TrainingConfig
    search: SearchConfig
    nets: tyro.conf.AvoidSubcommands[NetsConfig | ResidualNetsConfig]

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        if not (math.isfinite(self.resume_minutes) and self.resume_minutes >= 0):
            raise ValueError(f"resume-minutes is {self.resume_minutes}, it must be 0 or more")
        if self.metrics_every < 1:
            raise ValueError(f"metrics-every is {self.metrics_every}, at least 1 is needed")


@dataclass(frozen=True, kw_only=True)
class Status:
    """Shows which checkpoints are there, which are missing, and whether they are sound.

    Every file is verified; with a damaged one the exit code is 1.
    """

    root: Path = ROOT  # folder of all checkpoints
    profile: Annotated[str | None, _NAME] = None  # this profile only
    agent: Annotated[str | None, _NAME] = None  # this agent only
    seeds: Annotated[tuple[int, ...] | None, _SEEDS] = None  # these only; else the profile's and all that are there

    def __post_init__(self) -> None:
        """Refuses names that cannot be part of a path."""
        resume_folder(self.root, self.profile or "any", self.agent or "any", [0])


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Lists what can be trained: agents, environments, profiles."""


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Args:
        words: without the program's name; None takes the process's own.
    """
    try:
        command = _parse(sys.argv[1:] if words is None else words)
        run = _run_of(command) if isinstance(command, Train) else None
    except ValueError as error:
        return _trouble(error, 2)
    try:
        if isinstance(command, Train) and run:
            return _train(command, run)
        return _status(command) if isinstance(command, Status) else _agents()
    except (CheckpointError, ImportError, OSError, MemoryError) as error:
        return _trouble(error, 1)
    except KeyboardInterrupt:
        return _trouble("interrupted; the same command goes on from the last resume state", 130)


def _parse(words: Sequence[str]) -> Train | Status | Agents:
    if not words or not (words[0] in COMMANDS or words[0].startswith("-")):
        found = f"command {words[0]!r} is unknown" if words else "a command is missing"
        raise ValueError(f"{found}, there are {', '.join(COMMANDS)}")
    agent = next((word for word in words if word in PRESETS), next(iter(PRESETS)))
    profile = arguments.option(words, "--profile")
    command = _parse_with(words, agent, profile if profile in SEEDS else "quick")
    if isinstance(command, Train) and command.agent != agent:  # another word than the agent was taken for it
        command = _parse_with(words, command.agent, command.profile)
    return command


def _parse_with(words: Sequence[str], agent: str, profile: str) -> Train | Status | Agents:
    """Parses with the defaults of one preset."""
    config = preset(agent, profile)
    default = Train(
        agent=tyro.MISSING, profile=profile, seeds=tuple(range(population_size(agent, profile))),
        training=config.training, search=config.search, nets=config.nets,
    )  # fmt: skip
    commands: Any = (
        Annotated[Train, tyro.conf.subcommand("train", default=default)]
        | Annotated[Status, tyro.conf.subcommand("status")]
        | Annotated[Agents, tyro.conf.subcommand("agents")]
    )
    return arguments.parse(commands, words, program=PROGRAM, description=DESCRIPTION)


def _run_of(command: Train) -> Run:
    config = Config(
        agent=command.agent, environment=preset(command.agent, command.profile).environment,
        nets=command.nets, search=command.search, training=command.training,
    )  # fmt: skip
    return Run(config=config, profile=command.profile, seeds=command.seeds, root=command.root, device=command.device)


def _train(command: Train, run: Run) -> int:
    threads.configure()
    title = f"{run.config.agent}/{run.profile}"
    S, steps = len(run.seeds), run.config.training.steps
    with progress.shown(title, steps=steps, seeds=S) as report:
        took = train(run, resume_minutes=command.resume_minutes, metrics_every=command.metrics_every, report=report)
    what = f"{title}: seeds {show_seeds(run.seeds)}"
    if took is None:
        print(f"{what} are complete: all checkpoints of {len(run.config.training.checkpoints)} steps in {run.folder}")
        return 0
    over = f" ({progress.duration(took.total_seconds)} over {took.starts} starts)" if took.starts > 1 else ""
    print(
        f"{what} trained to step {steps} in {progress.duration(took.seconds)}{over}, "
        f"{took.updates * S / took.seconds:,.1f} seed-updates/s, peak memory {_peak_memory():,.0f} MiB, "
        f"checkpoints in {run.folder}"
    )
    return 0


def _status(command: Status) -> int:
    known = [(profile, agent) for agent, profiles in PRESETS.items() for profile in profiles]
    there = inventory.populations(command.root)
    for what, name, names in (
        ("profile", command.profile, {profile for profile, _ in there + known}),
        ("agent", command.agent, {agent for _, agent in there + known}),
    ):
        if name is not None and name not in names:
            return _trouble(f"{what} {name!r} is unknown, there are {', '.join(sorted(names))}", 2)
    chosen = [
        (profile, agent)
        for profile, agent in sorted(set(there + known) if command.profile or command.agent else there)
        if command.profile in (None, profile) and command.agent in (None, agent)
    ]
    if not chosen:
        print(f"nothing is there under {command.root}")
        return 0
    table = Table("profile", "agent", "config", "step", "there", "missing seeds")
    notes: list[str] = []
    damaged: list[str] = []
    for profile, agent in chosen:
        found = inventory.survey(command.root, profile, agent, seeds=command.seeds)
        table.add_section()
        name = (profile, agent, "\n".join(found.hashes) or "-")
        for step in found.steps:
            missing = found.missing(step)
            count = f"{len(found.seeds) - len(missing)} of {len(found.seeds)}"
            table.add_row(*name, f"{step:,}", count, show_seeds(missing) or "-")
            name = ("", "", "")
        if not found.steps:
            table.add_row(*name, "-", "-", "-")
        if len(found.hashes) > 1:
            mixed = "; ".join(f"{key}: seeds {show_seeds(of)}" for key, of in found.hashes.items())
            notes.append(f"{profile}/{agent} mixes {len(found.hashes)} configs: {mixed}")
        for state in found.states:
            where = f"{profile}/{agent}: seeds {show_seeds(state.seeds)}"
            notes.append(f"{where} are unfinished, at step {state.step} (config {state.config_hash})")
        damaged += found.damaged
    _console().print(table)
    for line in notes:
        print(line)
    for line in damaged:
        print(f"damaged: {line}")
    return 1 if damaged else 0


def _agents() -> int:
    table = Table("agent", "environment", "profile", "steps", "seeds", "checkpoints")
    for agent, profiles in PRESETS.items():
        table.add_section()
        for profile in profiles:
            config = preset(agent, profile)
            t = config.training
            table.add_row(
                agent, config.environment, profile, f"{t.steps:,}", show_seeds(range(population_size(agent, profile))),
                " ".join(map(str, t.checkpoints)),
            )  # fmt: skip
    _console().print(table)
    return 0


def _peak_memory() -> float:
    """Returns the largest resident size so far, in MiB; nan where the system does not tell."""
    try:
        import resource
    except ImportError:
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=120)


def _trouble(what: object, code: int) -> int:
    print(f"{PROGRAM}: {' '.join(str(what).split()) or type(what).__name__}", file=sys.stderr)
    return code
