"""An agent of your own, for all analyses: `python -m analyses --agent examples/own_agent.py:load`."""

import numpy as np

from muzero_probe import FunctionModel, ProbedAgent


def initial(observations: np.ndarray):
    """Your h, then f: states, values, policy logits. Numpy or torch."""
    n = len(observations)
    return observations, np.zeros(n), np.zeros((n, 2))


def recurrent(states: np.ndarray, actions: np.ndarray):
    """Your g, then f: next states, rewards, values, policy logits. This one expects a reward of 1 for ever."""
    n = len(states)
    return states, np.ones(n), np.zeros(n), np.zeros((n, 2))


def load() -> ProbedAgent:
    """What it plays, and how it searches."""
    model = FunctionModel(initial, recurrent, num_actions=2)
    return ProbedAgent(name="mine", title="Mine", environment="cartpole", models={100_000: model}, discount=0.997)
