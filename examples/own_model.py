"""A model of your own: what does it get wrong along the action sequences of a policy?"""

import numpy as np

from muzero_probe import Model, Prediction, Replayed, policy_value_error


class MyModel(Model):
    """Your h, g and f for B rows at a time. This one expects a reward of 1 for ever."""

    num_actions = 2

    def root(self, observations, states=None):
        """h, then f."""
        return Prediction(observations, *self._predict(len(observations)))

    def step(self, states, actions):
        """g, then f."""
        return Prediction(states, *self._predict(len(states)))

    def _predict(self, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, values, policy logits."""
        return np.ones(n, np.float32), np.zeros(n, np.float32), np.zeros((n, 2), np.float32)


env = Replayed("CartPole-v1")
states, _ = env.reset(np.arange(8))
errors = policy_value_error(
    env,
    MyModel(),
    states,
    policy=lambda rows, observations: np.full((len(rows), 2), 0.5),
    horizon=10,
    discount=0.997,
    samples=None,  # the exact expectation over all 2^10 sequences
)
print(errors.error.mean(0))  # eq 7 at horizons 1..10
