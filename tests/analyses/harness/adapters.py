"""What does somebody write who has an agent of another toolkit? Files with a function that returns a `ProbedAgent`."""

from pathlib import Path
from typing import Any

SMALL: dict[str, Any] = {
    "bank": {"episodes": 2, "states": 4},
    "returns": {"episodes": 3},
    "own_policy": {"states": 3},
    "sequences": {"states": 2, "length": 3},
    "cross_checkpoint": {"states": 2},
    "prior_effect": {"states": 2, "horizon": 5, "budgets": (2, 4)},
    "planning": {"episodes": 2, "horizon": 4, "budgets": (3, 9)},
    "search_tree": {"seeds": 0, "candidates": 3, "horizon": 6},
}

# An endless treadmill of seven states, and models that know all of it but expect rewards that are too large.
TREADMILL = """
import numpy as np
from muzero_probe import FunctionModel, ProbedAgent
from tests.doubles import treadmill

ENV = treadmill(time_limit={time_limit})
LOGITS = np.random.default_rng(0).normal(size=(7, 2))


def model(too_much):
    def initial(observations):
        states = observations.argmax(1)
        return states, np.zeros(len(states)), LOGITS[states]

    def recurrent(states, actions):
        following = ENV.transitions[states, actions]
        return following, ENV.rewards[states, actions] + too_much, np.zeros(len(states)), LOGITS[following]

    return FunctionModel(initial, recurrent, num_actions=2)


def load():
    given = dict(
        name="walker", title="A walker", environment=ENV, models={models}, discount=0.5, simulations=8, horizon=3,
        analyses={analyses},
    )
    return ProbedAgent(**(given | dict({settings})))
"""

# The toolkit's own checkpoints, behind two functions a model.
WRAPPED = """
from pathlib import Path
import numpy as np
from analyses.harness import checkpoints
from muzero_probe import FunctionModel, ProbedAgent, agents

THERE = checkpoints.find(Path({root!r}), "smoke", agents.load("cartpole"), None)


def model(seed, step):
    agent = THERE.agents((seed,), step, "cpu")

    def of(rows):
        return agent.model(np.zeros(rows, int))

    def initial(observations):
        found = of(len(observations)).root(observations)
        return found.states, found.values, found.prior_logits

    def recurrent(states, actions):
        found = of(len(actions)).step(states, actions)
        return found.states, found.rewards, found.values, found.prior_logits

    return FunctionModel(initial, recurrent, num_actions=2)


def load():
    return ProbedAgent(
        name="wrapped", title="Wrapped", environment="cartpole", discount=0.997, simulations=8, horizon=4,
        models={{step: [model(seed, step) for seed in {seeds}] for step in {steps}}}, analyses={analyses},
    )
"""


def treadmill(
    file: Path, models: str, *, analyses: dict[str, Any] | None = None, time_limit: int = 6, settings: str = ""
) -> str:
    """Writes a file and returns what the command line takes; models name how much too large their rewards are."""
    text = TREADMILL.format(
        models=models, analyses=SMALL if analyses is None else analyses, time_limit=time_limit, settings=settings
    )
    file.write_text(text)
    return f"{file}:load"


def wrapped(file: Path, root: Path, *, seeds: list[int], steps: list[int], analyses: dict[str, Any]) -> str:
    """Writes a file and returns what the command line takes."""
    file.write_text(WRAPPED.format(root=str(root), seeds=seeds, steps=steps, analyses=analyses))
    return f"{file}:load"
