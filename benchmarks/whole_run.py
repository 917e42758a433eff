"""`python -m benchmarks.whole_run`: seed-updates/s of whole training runs, and the shares of their parts.

An agent trains with the settings of its reported profile, seeds 1000 and up, as `muzero-probe train` does it but for
the files: checkpoints, resume states and metrics. What comes before the first updates is not counted, nor are these,
with which code is compiled. `make bench` measures all agents in rounds and writes docs/performance.md; this command
measures those that it names, on any device, and prints.
"""

import argparse
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks import page
from muzero_probe import agents, threads
from muzero_probe.training.trainer import Metrics, Trainer

REPORTED = {"cartpole": "paper", "lunar_lander": "desk", "minatar": "desk", "breakout": "desk"}  # agent: profile
PARTS = ("act", "replay", "reanalyse", "learn")  # what `Trainer` takes the time of
GAP = "between"
FIRST_SEED = 1000  # no seed of a study
SECONDS = 8.0  # of a stretch


class Stretch(NamedTuple):
    """What a run did in a while."""

    rate: float  # seed-updates/s
    shares: dict[str, float]  # of the time: those of `PARTS`, and `GAP`


class WholeRun:
    """A training run that goes on from stretch to stretch.

    Args:
        name: agent.
        profile: its settings.
        count: seeds; None for the profile's.
        device: torch device of nets and updates.
    """

    def __init__(self, name: str, profile: str, *, count: int | None = None, device: str = "cpu") -> None:
        """Trains to behind the first updates."""
        agent = agents.load(name)
        config = agent.config(profile)
        env = agent.make(config.environment)
        self.title = f"{agent.title} `{profile}`"
        self.count = count or agent.profile(profile).seeds
        seeds = list(range(FIRST_SEED, FIRST_SEED + self.count))
        trainer = Trainer(config, env, seeds, nets=agent.build(config.nets, env), device=device)
        self._trainer, self._events = trainer, trainer.run(metrics_every=1)
        self.advance(0)

    def advance(self, seconds: float) -> Stretch:
        """Trains for as many seconds, and to the end of the block of updates that has begun.

        Raises:
            RuntimeError: if the training ends before.
        """
        first, start = self._trainer.step, time.perf_counter()
        spent = dict.fromkeys(PARTS, 0.0)
        for event in self._events:
            if isinstance(event, Metrics):
                passed = time.perf_counter() - start
                for part in PARTS:
                    spent[part] += event.shared.get(f"seconds_{part}", 0.0)
                if passed >= seconds:
                    shares = {part: taken / passed for part, taken in spent.items()}
                    shares[GAP] = 1 - sum(shares.values())
                    return Stretch((self._trainer.step - first) * self.count / passed, shares)
        raise RuntimeError(f"{self.title}: its training ended before it was measured")


def lines(runs: Iterable[tuple[WholeRun, Sequence[Stretch]]]) -> list[str]:
    """Returns a table of runs and their stretches: medians, and the rates' range."""
    rows = []
    for run, stretches in runs:
        rates = page.spread([stretch.rate for stretch in stretches])
        shares = [statistics.median(stretch.shares[part] for stretch in stretches) for part in (*PARTS, GAP)]
        rows.append([run.title, str(run.count), *rates, *(f"{share:.1%}" for share in shares)])
    head = ["", "seeds", "seed-updates/s", "min", "max", *PARTS, GAP]
    return page.table(head, rows)


def main(words: Sequence[str] | None = None) -> None:
    """Measures what the words ask for and prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.whole_run", description="Measures whole training runs, one after the other."
    )
    named = [f"{name}/{profile}" for name, profile in REPORTED.items()]
    parser.add_argument("runs", nargs="*", default=named, metavar="AGENT/PROFILE", help="the reported ones by default")
    parser.add_argument("--count", type=int, help="seeds; the profile's by default")
    parser.add_argument("--device", default="cpu", help="of nets and updates")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a stretch, of which there are three")
    given = parser.parse_args(words)
    threads.configure()
    found = []
    for name, _, profile in (run.partition("/") for run in given.runs):
        run = WholeRun(name, profile, count=given.count, device=given.device)
        found.append((run, [run.advance(given.seconds) for _ in range(3)]))
    print("\n".join([page.machine(), f"Nets on {given.device}.", "", *lines(found)]))


if __name__ == "__main__":
    main()
