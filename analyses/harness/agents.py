"""What an analysis sees of agents: some seeds at one training step, their environment, models and policies."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.models.contract import Model
from muzero_probe.probes.episodes import reset_seeds
from muzero_probe.probes.policies import search_policy
from muzero_probe.probes.value_error import Policy
from muzero_probe.randomness import advance, row_keys, uniforms
from muzero_probe.search.policies import sample_actions


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Some seeds of an agent at one training step.

    Attributes:
        env: what they play.
        seeds: the trained seeds, or the numbers of a measurement's repetitions.
        step: of training.
        search: how they search.
        temperature: T of pi_MuZero.
        horizon: longest horizon of value prediction errors, K.
        models: gives the models of rows, by index into `seeds`, ascending.
    """

    env: Environment
    seeds: tuple[int, ...]
    step: int
    search: SearchConfig
    temperature: float
    horizon: int
    models: Callable[[np.ndarray], Model]

    def model(self, row_seeds: np.ndarray) -> Model:
        """Returns the models of rows, given by index into `seeds`, ascending."""
        return self.models(row_seeds)

    def searches(self, rules: Sequence[str]) -> list[SearchConfig]:
        """Returns how they search, and the same by the other ones of the rules."""
        others = [rule for rule in rules if rule != self.search.rule]
        return [self.search, *(dataclasses.replace(self.search, rule=rule) for rule in others)]

    def each(self, row_seeds: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yields every seed and which rows are its own, [B] bool."""
        for index, seed in enumerate(self.seeds):
            yield seed, row_seeds == index

    def behaviour(self, row_seeds: np.ndarray) -> Policy:
        """Returns pi_MuZero of rows as a function of (selected rows, observations).

        It is a fixed distribution, so an agent searches once for what it sees more than once: several plans begin in
        the same state, and an agent that does not serve sees the same screens for thousands of steps.
        """
        model = self.model(row_seeds)
        known: dict[tuple[int, bytes], np.ndarray] = {}  # by seed and digest of the observation

        def policy(rows: np.ndarray, observations: np.ndarray) -> np.ndarray:
            seen = [blake2b(x.tobytes(), digest_size=16).digest() for x in observations]
            keys = list(zip(row_seeds[rows].tolist(), seen, strict=True))
            first = {key: i for i, key in reversed([*enumerate(keys)]) if key not in known}
            new = np.array(sorted(first.values()), np.int64)
            if new.size:
                seeds = np.array(self.seeds)[row_seeds[rows[new]]]
                found = search_policy(model.rows(rows[new]), observations[new], self.search, self.temperature, seeds)
                for i, probabilities in zip(new, found, strict=True):
                    known[keys[i]] = probabilities
            return np.array([known[key] for key in keys])

        return policy

    def actor(self, row_seeds: np.ndarray, keys: np.ndarray):
        """Returns pi_MuZero as something to play episodes with, actions drawn from the rows' streams."""
        behaviour = self.behaviour(row_seeds)

        def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
            return sample_actions(behaviour(rows, observations), uniforms(advance(keys[rows], time)))

        return act

    def episodes(self, purpose: str, count: int, *labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns environment seeds, random streams and seed index of `count` episodes a seed, ascending by seed.

        Labels tell streams of a seed and a purpose apart: the checkpoint, where its episodes are to be its own.
        """
        starts = [reset_seeds(seed, f"{purpose} starts", count, *labels) for seed in self.seeds]
        keys = [row_keys(seed, f"{purpose} keys", count, *labels) for seed in self.seeds]
        row_seeds = np.repeat(np.arange(len(self.seeds)), count)
        return np.concatenate(starts), np.concatenate(keys), row_seeds


class Inputs(NamedTuple):
    """What an analysis is measured with beside the agents; what it does not ask for is empty."""

    bank: Path | None = None  # states of the agents' own policy, see `banks.read`
    checkpoints: Mapping[int, Agents] = {}  # the same seeds at every step
    once: pd.DataFrame | None = None  # what its `measure_once` found
