"""What does one search look like inside?

Every node of one search tree, with what the model predicts there and what is true of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.harness import banks
from analyses.harness.agents import Agents, Inputs
from analyses.harness.settings import check_seeds
from analyses.tables import Column
from muzero_probe.config import at_least
from muzero_probe.probes.search_tree import SearchTrees, most_divided, real_values, search_trees

FIGURE = 14
BANK = True
COLUMNS = {
    "state": Column("int", "", "the root's place in the agent's bank of states"),
    "node": Column("int", "", "0 is the root, the others in the order in which the search added them"),
    "parent": Column("int", "", "node above; -1 at the root"),
    "action": Column("int", "", "action that leads here from there; -1 at the root"),
    "depth": Column("int", "steps", "steps from the root"),
    "visits": Column("int", "", "visits of the edge that leads here; at the root simulations"),
    "ended": Column("int", "", "1 where the real episode is over in the node's state, so that its true value is 0"),
    "prior": Column("float", "", "policy prior of the edge; nan at the root"),
    "q": Column("float", "reward", "mean return backed up through the edge, not normalised; at the root to the root"),
    "reward": Column("float", "reward", "of the step that leads here, predicted by g; 0 at the root"),
    "reward_real": Column("float", "reward", "of the same step in the environment"),
    "value": Column("float", "reward", "predicted by f at the node's latent"),
    "value_real": Column("float", "reward", "discounted real rewards of greedy search from here, to the horizon"),
    "path_error": Column("float", "reward", "eq 5 of the actions that lead here"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 14, not in the paper."""

    seeds: int = 1
    """Seeds of the population that search, lowest first; 0 takes all."""
    step: int | None = None
    """Checkpoint; by default the last."""
    states: int = 1
    """Trees per seed: those that real ends of the episode divide most evenly, else the first."""
    candidates: int = 50
    """States of the bank that are searched for such trees; with as many as trees these are the first states."""
    horizon: int = 1000
    """Steps of greedy search whose rewards make a true value."""

    def __post_init__(self) -> None:
        at_least(self, "search_tree", 1, "states", "candidates", "horizon")
        check_seeds("search_tree", self.seeds)
        if self.step is not None and self.step < 0:
            raise ValueError(f"search_tree.step is {self.step}, it must be 0 or more")
        if self.candidates < self.states:
            raise ValueError(
                f"search_tree.candidates is {self.candidates}, search_tree.states is {self.states}: "
                "no more trees are kept than states are searched"
            )


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed, state and node."""
    states, row_seeds = banks.read(inputs.bank, agents, settings.candidates)
    rows = []
    for seed, of_seed in agents.each(row_seeds):
        roots, model = states[of_seed], agents.model(row_seeds[of_seed])
        found = search_trees(agents.env, model, roots, agents.search)
        kept = most_divided(found, settings.states)
        trees = SearchTrees(*(array[kept] for array in found))
        values = real_values(agents.env, model.rows(kept), roots[kept], trees, agents.search, horizon=settings.horizon)
        columns = {**trees._asdict(), "ended": trees.ended.astype(int), "value_real": values}
        for b, n in np.ndindex(values.shape):
            at = {name: array[b, n] for name, array in columns.items()}
            rows.append({"seed": seed, "state": int(kept[b]), "node": n, **at})
    return rows
