"""The training loop: act, draw, reanalyse, update; a generator that leaves files and progress to its caller."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from muzero_probe import door, engine
from muzero_probe.config import Config
from muzero_probe.envs.base import Environment
from muzero_probe.models.contract import Model
from muzero_probe.nets.build import build
from muzero_probe.nets.layers import initial_vector
from muzero_probe.nets.loss import Nets
from muzero_probe.randomness import advance, restore, row_keys, stream
from muzero_probe.training import health
from muzero_probe.training.acting import Actor
from muzero_probe.training.batch import Batch
from muzero_probe.training.reanalyse import reanalyse, revalue
from muzero_probe.training.replay import Replay


class Reached(NamedTuple):
    """The nets of a chosen step exist."""

    step: int


class Sick(NamedTuple):
    """Numbers of a seed are not finite from here on; the other seeds go on."""

    index: int  # of the seed
    step: int
    what: str  # is not finite


class Metrics(NamedTuple):
    """What happened since the last metrics; arrays have one entry per seed."""

    step: int
    values: dict[str, np.ndarray]
    shared: dict[str, float]  # seconds by part, counts


class Trainer:
    """S agents of one config, trained together.

    Args:
        config: how.
        env: what they play.
        seeds: distinct seeds >= 0.
        nets: what is trained; None for those of `nets.build`.
        device: torch device of nets and updates.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if seeds are empty, negative or repeated.
    """

    def __init__(
        self, config: Config, env: Environment, seeds: list[int], *, nets: Nets | None = None, device: str = "cpu"
    ) -> None:
        """Starts agents at step 0."""
        door.instance("config", config, Config)
        door.instance("env", env, Environment)
        for seed in door.instance("seeds", seeds, list):
            door.whole("seed", seed, -(2**63), 2**63 - 1)
        if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
            raise ValueError(f"seeds {seeds} must be distinct, 0 or above, and at least one")
        self.config = config
        self.seeds = seeds
        t = config.training
        self.env = env
        self.nets = nets or build(config.nets, env)
        initial = np.stack([initial_vector(self.nets.layout, stream(seed, "weights")) for seed in seeds])
        self.learner = engine.learner(self.nets, torch.tensor(initial, device=device), t)
        self.actor = Actor(self.env, config.search, seeds=seeds, environments=t.environments)
        self.replay = Replay(
            t,
            seeds=len(seeds),
            observation_shape=self.env.observation_shape,
            num_actions=self.env.num_actions,
            discount=config.search.discount,
            observation_dtype=self.env.observation_dtype,
            screens=self.env.screens,
        )
        self.rngs = [stream(seed, "replay") for seed in seeds]
        self.keys = np.concatenate([row_keys(seed, "reanalysis ties", 1) for seed in seeds])
        self.searched = 0  # searches made by reanalyse, all seeds together
        self.fresh = 0  # positions trained on with fresh targets, all seeds together
        self.sick: dict[int, Sick] = {}  # by the seed's index; no checkpoint of theirs is sound
        self._clock: dict[str, float] = {}

    @property
    def step(self) -> int:
        """Updates made."""
        return self.learner.step

    def run(self, *, metrics_every: int = 500) -> Iterator[Reached | Metrics | Sick]:
        """Trains to the config's last step.

        Yields `Reached` at every chosen checkpoint step (also at step 0, in a run that starts there), `Metrics` about
        every `metrics_every` updates, and `Sick` once for a seed whose numbers are not finite. Between two blocks of
        updates, which is where `Metrics` are yielded, `state_dict` describes the run completely.
        """
        t = self.config.training
        if self.step == 0 and 0 in t.checkpoints:
            yield Reached(0)
        if self.step:  # what was loaded may be sick already
            yield from self._fallen(health.unsound(self.learner, self.replay))
        gathered: list[tuple[int, dict[str, np.ndarray]]] = []
        returns: list[list[float]] = [[] for _ in self.seeds]
        next_metrics = self.step + metrics_every
        while self.step < t.steps:
            self._act()
            for mine, new in zip(returns, self.actor.pop_returns(), strict=True):
                mine.extend(new)
            due = self._due()
            if due == 0:
                continue
            batch = self._draw(due)
            yield from self._fallen(self.replay.unsound)
            start = self.step
            edges = [s for s in (*t.checkpoints, start + due) if start < s <= start + due]
            for edge in sorted(set(edges)):
                part = slice(self.step - start, edge - start)
                with self._timed("learn"):
                    gathered.append((edge - self.step, self.learner.update(batch.updates(part))))
                yield from self._fallen(health.suspects(gathered[-1][1]))
                if edge in t.checkpoints:
                    yield from self._fallen(np.flatnonzero(~health.finite(self.learner)))
                    yield Reached(edge)
            if self.step >= next_metrics or self.step == t.steps:
                yield self._metrics(gathered, returns)
                gathered, returns = [], [[] for _ in self.seeds]
                next_metrics = self.step + metrics_every

    def _fallen(self, suspects: Iterable[int]) -> Iterator[Sick]:
        """Says once of each of these seeds what is not finite."""
        for index in map(int, suspects):
            if index not in self.sick:
                self.sick[index] = Sick(index, self.step, health.cause(self.learner, self.replay, index))
                yield self.sick[index]

    def _due(self) -> int:
        """Updates that the slots written so far allow, none before the warm-up is over."""
        t = self.config.training
        slots = self.replay.written - t.warmup_slots
        if slots < 0:
            return 0
        allowed = int((slots + 1) * t.environments * t.updates_per_environment_step + 1e-9)
        return min(allowed, t.steps) - self.step

    def _act(self) -> None:
        t = self.config.training
        with self._timed("act"):
            rows = np.repeat(np.arange(len(self.seeds)), t.environments)
            self.actor.act(self._model(rows), t.temperature(self.step), self.replay)

    def _model(self, row_seeds: np.ndarray) -> Model:
        """The current model of rows, given by index into `seeds`, ascending."""
        return engine.learned_model(self.nets, self.learner.theta, row_seeds, may_diverge=True)

    def _draw(self, updates: int) -> Batch:
        t = self.config.training
        shape = (updates, t.unroll_steps, t.batch_size)
        with self._timed("replay"):
            positions, importance = self.replay.sample(self.rngs, updates, t.priority_beta(self.step))
            absorbing = np.stack([rng.integers(self.env.num_actions, size=shape) for rng in self.rngs])
        with self._timed("reanalyse"):
            first = self.step * t.batch_size
            revalue(self._model, self.replay, positions, first=first, fraction=t.revalue_fraction)
            fresh, searched = reanalyse(
                self._model, self.replay, positions, self.config.search, self.rngs, advance(self.keys, self.step),
                first=first, fraction=t.reanalyse_fraction,
            )  # fmt: skip
            self.fresh += fresh
            self.searched += searched
        with self._timed("replay"):
            return self.replay.batch(positions, importance, absorbing)

    def _metrics(self, gathered: list[tuple[int, dict[str, np.ndarray]]], returns: list[list[float]]) -> Metrics:
        updates = np.array([n for n, _ in gathered])
        values = {
            name: np.average([m[name] for _, m in gathered], axis=0, weights=updates)
            for name in self.learner.metrics[:-1]
        }
        values["skipped"] = np.sum([m["skipped"] for _, m in gathered], axis=0)
        values["return_mean"] = np.array([np.mean(r) if r else np.nan for r in returns])
        values["episodes"] = np.array([float(len(r)) for r in returns])
        values |= self.actor.monitor.pop(self.replay)
        trained = self.step * self.config.training.batch_size * len(self.seeds)
        shared = {
            "environment_steps": float(self.replay.written * self.config.training.environments),
            "reanalysed_fraction": self.fresh / trained,
            "searches": float(self.searched),
            **{f"seconds_{part}": seconds for part, seconds in self._clock.items()},
        }
        self._clock = {}
        return Metrics(self.step, values, shared)

    def _timed(self, part: str) -> "_Timer":
        return _Timer(self._clock, part)

    def arrays(self, index: int) -> dict[str, np.ndarray]:
        """Returns the named parameters of the seed at an index, for its checkpoint."""
        return self.nets.layout.arrays(self.learner.theta[index].detach().cpu().numpy())

    def state_dict(self) -> tuple[dict[str, np.ndarray], dict]:
        """Returns everything that a resumed run needs: arrays, and plain values for a header."""
        actor_arrays, actor_meta = self.actor.state_dict()
        parts = {"learner": self.learner.state_dict(), "replay": self.replay.state_dict(), "actor": actor_arrays}
        arrays = {f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()}
        meta = {
            "actor": actor_meta,
            "replay_streams": [rng.bit_generator.state for rng in self.rngs],
            "fresh": self.fresh,
            "searched": self.searched,
            "sick": [list(sick) for sick in self.sick.values()],
        }
        return arrays, meta

    def load_state_dict(self, arrays: dict[str, np.ndarray], meta: dict) -> None:
        """Restores `state_dict`'s result. A seed whose numbers are not finite is given up when training goes on.

        Raises:
            KeyError: if something is missing.
            TypeError: if something is of another kind.
            ValueError: if it does not fit this trainer, or its parts do not fit together.
        """

        def part(name: str) -> dict[str, np.ndarray]:
            return {key.removeprefix(f"{name}."): a for key, a in arrays.items() if key.startswith(f"{name}.")}

        self.learner.load_state_dict(part("learner"))
        self.replay.load_state_dict(part("replay"))
        self.actor.load_state_dict(part("actor"), meta["actor"])
        if self._due() or (self.step and self.replay.written < self.config.training.warmup_slots):
            raise ValueError(f"step {self.step} is not where {self.replay.written} written slots lead to")
        for rng, state in zip(self.rngs, meta["replay_streams"], strict=True):
            restore(rng, state)
        self.fresh = door.whole("fresh", meta["fresh"], 0, 2**63)
        self.searched = door.whole("searched", meta["searched"], 0, 2**63)
        self.sick = {}
        for index, step, what in meta["sick"]:
            door.whole("index of a sick seed", index, 0, len(self.seeds) - 1)
            door.whole("step of a sick seed", step, 0, self.step)
            self.sick[index] = Sick(index, step, door.instance("what is sick", what, str))


class _Timer:
    def __init__(self, clock: dict[str, float], part: str) -> None:
        self.clock = clock
        self.part = part

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.clock[self.part] = self.clock.get(self.part, 0.0) + time.perf_counter() - self.start
