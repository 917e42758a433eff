"""`python -m benchmarks.cluster`: what studies take on 2 to 2,000 cores, by list scheduling of measured times.

Prints tables and writes them into docs/cluster.md. `measure` measures the times anew:

    python -m benchmarks.cluster measure --root checkpoints cartpole/paper lunar_lander/desk

Every unit of work is measured for one seed at one checkpoint on one core, with few states and episodes, as processor
time; the simulation multiplies by what a profile asks for. Rates of training are those of whole studies.
"""

import argparse
import dataclasses
import heapq
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analyses.harness import study
from analyses.harness.checkpoints import find
from analyses.harness.registry import questions, settings
from benchmarks import page
from benchmarks.page import duration, processor
from muzero_probe import agents, files, threads
from muzero_probe.agents import Agent
from muzero_probe.checkpoints import ROOT, list_checkpoints
from muzero_probe.provenance import commit
from muzero_probe.runs.run import Run, train

TIMES = Path(__file__).with_suffix(".json")
PAGE = page.ROOT / "docs" / "cluster.md"
CORES = (2, 8, 32, 128, 512, 2_000)
UPDATES = {"cartpole": 153, "lunar_lander": 115}  # seed-updates/s and core, of whole studies at 81738cf
STEP = 10_000  # whose models are measured
WARM = {"episodes": 1, "states": 1, "candidates": 1, "budgets": (4,), "rules": ()}  # compiles
SMALL = {"episodes": 2, "states": 5, "candidates": 5, "budgets": (4, 8), "rules": ()}


class Study(NamedTuple):
    """A population that is trained and measured."""

    agent: str
    profile: str
    measured: str  # profile whose times are taken
    seeds: int
    note: str = ""

    def settings(self, shard: int) -> Any:
        """Of its analyses; more seeds than the profile's are all measured."""
        own = settings(agents.load(self.agent).profile(self.profile).analyses)
        if self.seeds > agents.load(self.agent).profile(self.profile).seeds:
            own = dataclasses.replace(own, planning=dataclasses.replace(own.planning, seeds=0))
        return dataclasses.replace(own, shard=shard)


STUDIES = (
    Study("cartpole", "paper", "paper", 30),
    Study("lunar_lander", "paper", "desk", 30),
    Study("lunar_lander", "paper", "desk", 1_000, ", all of which plan"),
)


class Phase(NamedTuple):
    """Units that do not wait for each other, and that the next phase waits for."""

    name: str
    seconds: list[float]


class Schedule(NamedTuple):
    """What phases take."""

    seconds: float
    efficiency: float  # of the cores: work / (cores x seconds)
    bound: str


def span(seconds: Sequence[float], cores: int) -> float:
    """Seconds until all tasks are done, each begun in order by the core that is free first."""
    free = [0.0] * min(cores, len(seconds))
    for task in seconds:
        heapq.heapreplace(free, free[0] + task)
    return max(free, default=0.0)


def schedule(phases: Sequence[Phase], cores: int) -> Schedule:
    """Runs phases one after the other, and says where most core time is lost."""
    spans = [span(phase.seconds, cores) for phase in phases]
    total, work = sum(spans), sum(sum(phase.seconds) for phase in phases)
    efficiency = work / (cores * total)
    if efficiency >= 0.9:
        return Schedule(total, efficiency, "work")
    _, long, worst = max(
        (cores * long - sum(phase.seconds), long, i) for i, (phase, long) in enumerate(zip(phases, spans, strict=True))
    )
    name, seconds = phases[worst]
    units = f"{len(seconds):,} x {name}"
    if math.isclose(long, max(seconds)):
        return Schedule(total, efficiency, f"longest unit ({units}, {duration(long)})")
    return Schedule(total, efficiency, f"number of units ({units})")


def size(name: str, chosen: Any, searches: int, steps: int) -> float:
    """What a unit's time grows with, for one seed and one checkpoint.

    Args:
        name: of the analysis, or "banks".
        chosen: its settings.
        searches: rules of the search that it measures.
        steps: checkpoints that it compares.
    """
    return {
        "banks": lambda: chosen.episodes,
        "returns": lambda: chosen.episodes,
        "own_policy": lambda: chosen.states,
        "sequences": lambda: chosen.states,
        "cross_checkpoint": lambda: chosen.states * steps,
        "prior_effect": lambda: chosen.states * max(chosen.budgets) * searches,
        "planning": lambda: chosen.episodes * sum(chosen.budgets) * searches,
        "search_tree": lambda: (
            chosen.states
        ),  # trees whose true values are played out; searches of candidates are cheap
    }[name]()


def searches(agent: Agent, profile: str, chosen: Any) -> int:
    """Rules of the search that an analysis measures."""
    return len({agent.profile(profile).search.rule, *getattr(chosen, "rules", ())})


def analysing(of: Study, shard: int, times: dict[str, float]) -> Iterator[Phase]:
    """Yields what `study.run` completes, in its order; banks are there once they were asked for."""
    agent, own = agents.load(of.agent), of.settings(shard)
    checkpointed = agent.profile(of.profile).training.checkpoints
    banked: set[int] = set()

    def phase(name: str, chosen: Any, key: str, count: int, steps: int, seeds: int) -> Phase:
        parts = [min(shard, seeds - first) for first in range(0, seeds, shard)]
        one = times[key] * size(name, chosen, searches(agent, of.profile, chosen), len(checkpointed))
        return Phase(name if count else f"{name}, once", [part * one for _ in range(max(count, 1)) for part in parts])

    for name, question in questions().items():
        chosen = getattr(own, name)
        steps = tuple(getattr(chosen, "steps", ())) or checkpointed
        if hasattr(chosen, "step"):
            steps = (checkpointed[-1] if chosen.step is None else chosen.step,)
        seeds = min(getattr(chosen, "seeds", 0) or of.seeds, of.seeds)
        if getattr(question, "BANK", False) and (new := set(steps) - banked):
            yield phase("banks", own.bank, "banks", len(new), 1, of.seeds)
            banked |= new
        if hasattr(question, "measure_once"):
            yield phase(name, chosen, f"{name}, once", 0, 1, seeds)
        yield phase(name, chosen, name, len(steps), len(steps), seeds)


def training(of: Study, cores: int) -> Schedule:
    """A seed is one task: no more than a core updates it."""
    one = agents.load(of.agent).profile(of.profile).training.steps / UPDATES[of.agent]
    found = schedule([Phase("seed", [one] * of.seeds)], cores)
    return found._replace(bound=f"one seed's training ({duration(one)})") if cores >= of.seeds else found


def tables(measured: dict[str, Any]) -> list[str]:
    """The page's tables, of the times that were measured."""
    lines = [
        f"Unit times: {measured['processor']}, one core, commit {measured['commit'][:7]}; "
        f"written by `python -m benchmarks.cluster`."
    ]
    for of in STUDIES:
        of_agent = measured["times"][f"{of.agent}/{of.measured}"]
        phases = {shard: list(analysing(of, shard, of_agent["seconds"])) for shard in (5, 1)}
        work = sum(sum(phase.seconds) for phase in phases[1])
        count = {shard: sum(len(phase.seconds) for phase in found) for shard, found in phases.items()}
        saved = of.seeds * len(agents.load(of.agent).profile(of.profile).training.checkpoints)
        disk = saved * of_agent["checkpoint_bytes"] + 2 * of.seeds * of_agent["state_bytes"]
        train_work = training(of, 1).seconds
        title = agents.load(of.agent).title
        lines += [
            "",
            f"**{title} `{of.profile}`, {of.seeds:,} seeds{of.note}:** {duration(train_work)} of one core for "
            f"training, {duration(work)} for analyses in {count[5]:,} units of five seeds or {count[1]:,} of one; "
            f"{disk / 1e9:,.2g} GB of checkpoints and resume states.",
            "",
            "| cores | training | efficiency | bound by | analyses, `--shard 5` | efficiency | `--shard 1` | "
            "efficiency | bound by, `--shard 1` |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for cores in CORES:
            seeds, five, one = training(of, cores), schedule(phases[5], cores), schedule(phases[1], cores)
            cells = [f"{cores:,}", duration(seeds.seconds), f"{seeds.efficiency:.0%}", seeds.bound]
            cells += [duration(five.seconds), f"{five.efficiency:.0%}"]
            cells += [duration(one.seconds), f"{one.efficiency:.0%}", one.bound]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def smaller(own: Any, values: dict[str, Any]) -> Any:
    """All settings with other values, where they have such fields; analyses of single steps are of `STEP`."""
    changed = {}
    for section in dataclasses.fields(own):
        there = getattr(own, section.name)
        if dataclasses.is_dataclass(there):
            names = {field.name for field in dataclasses.fields(there)}
            fitting = {name: value for name, value in values.items() if name in names}
            changed[section.name] = dataclasses.replace(there, **fitting)  # pyright: ignore[reportArgumentType]
    return dataclasses.replace(own, **changed)


def unit_times(agent: Agent, profile: str, root: Path, values: dict[str, Any]) -> dict[str, float]:
    """Processor seconds per `size` of every kind of unit, of one seed at `STEP`."""
    seeds = (min(seed for seed, *_ in list_checkpoints(root, profile, agent.name)),)
    population = find(root, profile, agent, seeds)
    own = smaller(settings(agent.profile(profile).analyses), values)
    found = {}

    def timed(name: str, chosen: Any, key: str, unit: Any) -> None:
        begun = time.process_time()
        result = unit.measure()
        spent = time.process_time() - begun
        found[key] = spent / size(name, chosen, searches(agent, profile, chosen), len(population.steps))
        unit.write(unit.path, result)
        print(f"{agent.name}/{profile}: {key} {spent:.2f} s", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as cache:
        work = study.Work(population, Path(cache), "cpu")
        bank = work.bank(own.bank, seeds, STEP)
        timed("banks", own.bank, "banks", bank)
        for name, question in questions().items():
            chosen, once = getattr(own, name), None
            if hasattr(question, "measure_once"):
                once = work.once(name, question, chosen, seeds)
                timed(name, chosen, f"{name}, once", once)
            timed(name, chosen, name, work.unit(name, question, chosen, seeds, STEP, bank, once))
    return found


def state_bytes(agent: Agent, profile: str) -> int:
    """Bytes of one seed's resume state with full rings: steps for two rings are spread on few updates."""
    config = agent.config(profile)
    t = config.training
    updates, filling = 64, 2 * t.replay_slots * t.environments
    few = dataclasses.replace(
        t,
        steps=updates,
        checkpoints=(updates,),
        updates_per_environment_step=updates / filling,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            agent=agent, config=dataclasses.replace(config, training=few), profile=profile, seeds=(0,),
            root=Path(folder),
        )  # fmt: skip
        largest = 0

        def look(_: Any) -> None:
            nonlocal largest
            sizes = [path.stat().st_size for path in run.resume_folder.glob("state_*")]
            largest = max([largest, *sizes])

        train(run, resume_minutes=0, metrics_every=8, report=look)
    return largest


def measure(populations: Sequence[str], root: Path) -> dict[str, Any]:
    """Measures populations, named agent/profile, on one core."""
    threads.configure(1)
    times = {}
    for name in populations:
        agent, profile = agents.load(name.partition("/")[0]), name.partition("/")[2]
        unit_times(agent, profile, root, WARM)
        paths = [path for *_, path in list_checkpoints(root, profile, agent.name)]
        times[name] = {
            "seconds": unit_times(agent, profile, root, SMALL),
            "checkpoint_bytes": max(path.stat().st_size for path in paths),
            "state_bytes": state_bytes(agent, profile),
        }
    return {"processor": processor(), "commit": commit(), "times": times}


def main() -> None:
    """Measures, or writes the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command")
    measuring = commands.add_parser("measure", help="measure unit times anew")
    measuring.add_argument("populations", nargs="+", metavar="AGENT/PROFILE")
    measuring.add_argument("--root", type=Path, default=ROOT)
    given = parser.parse_args()
    if given.command:
        files.replace(TIMES, [(json.dumps(measure(given.populations, given.root), indent=2) + "\n").encode()])
    page.put(PAGE, "cluster", tables(json.loads(TIMES.read_text())))


if __name__ == "__main__":
    main()
