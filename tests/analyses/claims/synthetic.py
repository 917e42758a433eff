"""Tables of made-up agents, random but positive, and their rows as plain dictionaries."""

import itertools
from typing import Any

import numpy as np
import pandas as pd

STEPS = (0, 5, 10, 60, 100, 400, 500, 800, 1000)  # of 1,000 updates
BUDGETS = (2, 4, 8, 16, 32, 128)
HEAD: dict[str, Any] = {
    "title": "Mine",
    "profile": "quick",
    "repeats": "trained seed",
    "commit": "abc",
    "training_steps": 1000,
    "temperatures": [[0, 1.0], [500, 0.5], [750, 0.25]],
    "actions": 3,
    "return_range": [0.0, 100.0],
    "counts": True,
}


def levels(name: str) -> dict[str, tuple]:
    """What tells the rows of a table apart, beside the seed."""
    return {
        "returns": {"step": STEPS, "policy": ("prior", "search")},
        "own_policy": {"step": STEPS, "horizon": (1, 2, 4)},
        "sequences": {"step": (5, 60, 1000), "rank": tuple(range(1, 9))},
        "cross_checkpoint": {"step": STEPS, "policy_step": STEPS, "horizon": (2, 4)},
        "prior_effect": {"step": (60,), "prior": ("policy", "uniform"), "simulations": BUDGETS},
        "planning": {
            "step": (5, 60, 1000),
            "model": ("learned", "real"),
            "prior": ("policy", "uniform"),
            "simulations": BUDGETS,
        },
    }[name]


VALUES = {
    "returns": ("return_mean",),
    "own_policy": ("error", "foreseen", "invented", "over"),
    "sequences": ("error", "probability"),
    "cross_checkpoint": ("error",),
    "prior_effect": ("error", "path_error", "tv", "kl"),
    "planning": ("return_mean",),
}


def agent(name: str = "cartpole", *, seeds: int = 6, stream: int = 0, **head: Any) -> dict[str, Any]:
    """All tables of an agent, with their provenance."""
    return {table: rows(table, name, seeds=seeds, stream=stream, **head) for table in VALUES}


def rows(table: str, name: str = "cartpole", *, seeds: int = 6, stream: int = 0, **head: Any) -> Any:
    """One table."""
    random = np.random.default_rng([stream, len(table)])
    cells = [
        dict(zip(("seed", *levels(table)), c, strict=True))
        for c in itertools.product(range(seeds), *levels(table).values())
    ]
    if table == "planning":
        alone = {"model": "no search", "prior": "policy", "simulations": 0}
        cells += [{"seed": s, "step": step, **alone} for s in range(seeds) for step in levels(table)["step"]]
    made = pd.DataFrame(cells).assign(agent=name)
    for column in VALUES[table]:
        made[column] = random.uniform(0.1, 2.0, len(made))
    made.attrs = {"source": f"{table}.csv", "provenance": HEAD | head}
    return made


def lookup(table: Any, column: str, **cell: Any) -> float:
    """The one value of a cell."""
    chosen = table
    for name, value in cell.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1, cell
    return float(chosen[column].iloc[0])
