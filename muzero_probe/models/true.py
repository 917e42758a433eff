"""The environment itself as a model."""

import numpy as np

from muzero_probe.envs.base import Environment
from muzero_probe.models.contract import Model, Prediction, States


class TrueModel(Model):
    """T(s, a) and R(s, a); priors and values come from a learned model's h and f where one is given.

    Args:
        env: the environment.
        predictor: gives policy prior and value at the real state of each node; None gives a uniform prior and value
            0, without any net call.
    """

    def __init__(self, env: Environment, predictor: Model | None = None) -> None:
        self.env = env
        self.predictor = predictor
        self.num_actions = env.num_actions

    def rows(self, selection: slice | np.ndarray) -> "TrueModel":
        """See `Model`."""
        return TrueModel(self.env, self.predictor and self.predictor.rows(selection))

    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """Returns the predictions at environment states [B, ...].

        Raises:
            ValueError: if there are no states.
        """
        if states is None:
            raise ValueError("the true model starts from the environment's states, and none are given")
        return self._predict(states, observations, np.zeros(len(states), np.float32), self.env.is_terminal(states))

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """One real step; a terminal state is absorbing, its value is 0."""
        return self._predict(*self.env.step(states, actions))

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Real rewards along plans."""
        return self.env.rollout(states, plans)[0]

    def _predict(
        self, states: States, observations: np.ndarray, rewards: np.ndarray, terminated: np.ndarray
    ) -> Prediction:
        B = len(states)
        if self.predictor is None:
            return Prediction(states, rewards, np.zeros(B, np.float32), np.zeros((B, self.num_actions), np.float32))
        _, _, values, prior_logits, *_ = self.predictor.root(observations, states)
        return Prediction(states, rewards, np.where(terminated, np.float32(0), values), prior_logits)
