"""Whom does a study measure? Agents by seed and training step: this toolkit's, or anybody's."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from analyses.harness.agents import Agents

TRAINED, REPEATED = "trained seed", "repetition"


class PopulationError(Exception):
    """A population that is not there, or not what an analysis needs; one line says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Population(ABC):
    """An agent's models by seed and training step; it travels to other processes."""

    name: str  # of the agent, and of the folder of its tables
    title: str  # of the agent, for figures
    profile: str
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    repeats: str  # what a seed stands for: a trained agent, or one more measurement of a single one

    @abstractmethod
    def agents(self, seeds: tuple[int, ...], step: int, device: str) -> Agents:
        """Loads some seeds at one step."""

    @abstractmethod
    def digest(self, seed: int, step: int) -> str:
        """Returns what the numbers of a seed's model at a step depend on, as a short text."""

    @abstractmethod
    def sources(self) -> list[str]:
        """Returns the names of the modules that environment and models are made of."""

    @abstractmethod
    def depends(self, device: str) -> dict[str, Any]:
        """Returns what all measurements depend on beside code, seeds and steps: JSON values."""

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """Returns where the agents come from, and how they play: JSON values for the tables.

        Among them `actions`, `return_range`, `temperatures` ([step from which on, T], ascending), `training_steps`,
        and whether the agents count for the paper's claims (`counts`).
        """

    def shards(self, size: int, count: int = 0) -> list[tuple[int, ...]]:
        """Cuts the first `count` seeds (0: all) into tuples of at most `size`."""
        seeds = self.seeds[: count or None]
        return [seeds[i : i + size] for i in range(0, len(seeds), size)]

    def select(self, wanted: tuple[int, ...], analysis: str) -> tuple[int, ...]:
        """Returns the wanted steps, all where none are named.

        Raises:
            PopulationError: if there are no models of one of them.
        """
        unknown = [step for step in wanted if step not in self.steps]
        if unknown:
            raise PopulationError(
                f"{analysis}: steps {unknown} are no checkpoints of this population, which has {list(self.steps)}"
            )
        return wanted or self.steps
