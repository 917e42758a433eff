"""The environment itself as a model."""

import numpy as np

from muzero_probe import door
from muzero_probe.envs.base import Environment, check_step, start_states
from muzero_probe.models.contract import Model, Prediction, States, checked, same_actions


class TrueModel(Model):
    """T(s, a) and R(s, a); priors and values come from a learned model's h and f where one is given.

    Args:
        env: the environment.
        predictor: gives policy prior and value at the real state of each node; None gives a uniform prior and value
            0, without any net call.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the predictor has another number of actions. So do its methods where states are terminal at a
            root, or the environment answers what it may not.
    """

    def __init__(self, env: Environment, predictor: Model | None = None) -> None:
        door.instance("env", env, Environment)
        if predictor is not None:
            same_actions(predictor, env)
        self.env = env
        self.predictor = predictor
        self.num_actions = env.num_actions

    @property
    def count(self) -> int | None:
        """See `Model`."""
        return self.predictor and self.predictor.count

    def rows(self, selection: slice | np.ndarray) -> "TrueModel":
        """See `Model`."""
        return TrueModel(self.env, self.predictor and self.predictor.rows(selection))

    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """Returns the predictions at environment states [B, ...].

        Raises:
            ValueError: if there are no states, or one is terminal.
        """
        if states is None:
            raise ValueError("the true model starts from the environment's states, and none are given")
        states = start_states(self.env, states)
        zeros = np.zeros(len(states), np.float32)
        return self._predict(states, observations, zeros, np.zeros(len(states), np.bool_))

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """One real step; a terminal state is absorbing, its value is 0."""
        return self._predict(*check_step(self.env, self.env.step(states, actions), len(actions)))

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Real rewards along plans."""
        return self.env.rollout(states, plans)[0]  # looked at by whom it is given to, see `rolled`

    def _predict(
        self, states: States, observations: np.ndarray, rewards: np.ndarray, terminated: np.ndarray
    ) -> Prediction:
        B = len(states)
        if self.predictor is None:
            return Prediction(states, rewards, np.zeros(B, np.float32), np.zeros((B, self.num_actions), np.float32))
        _, _, values, prior_logits, *_ = checked(self.predictor.root(observations, states), self.predictor, B)
        return Prediction(states, rewards, np.where(terminated, np.float32(0), values), prior_logits)
