"""How well do agents play during training? (Fig 2)

Undiscounted return of pi_MuZero, and of the policy prior alone.
"""

from dataclasses import dataclass
from typing import Any

from analyses.harness.agents import Agents, Inputs
from analyses.tables import Column
from muzero_probe.config import at_least
from muzero_probe.probes.episodes import play
from muzero_probe.probes.planning import play_prior

FIGURE = 2
COLUMNS = {
    "policy": Column("word", "", "search: pi_MuZero; prior: the policy prior alone"),
    "return_mean": Column("float", "reward", "undiscounted return, mean over the episodes"),
    "length_mean": Column("float", "steps", "length of an episode, mean"),
    "episodes": Column("int", "", "episodes of a seed and policy"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 2."""

    episodes: int = 20
    """Episodes per seed and policy."""

    def __post_init__(self) -> None:
        at_least(self, "returns", 1, "episodes")


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed and policy. Both policies start from the same states."""
    starts, keys, row_seeds = agents.episodes("returns", settings.episodes, agents.step)
    played = {
        "search": play(agents.env, starts, agents.actor(row_seeds, keys)),
        "prior": play_prior(agents.env, agents.model(row_seeds), starts, keys),
    }
    return [
        {
            "seed": seed,
            "policy": policy,
            "return_mean": episodes.returns[of_seed].mean(),
            "length_mean": episodes.lengths[of_seed].mean(),
            "episodes": settings.episodes,
        }
        for policy, episodes in played.items()
        for seed, of_seed in agents.each(row_seeds)
    ]
