"""What an update is made from."""

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """U updates' training data of S seeds; `nets.loss.Targets` has the meaning of each part."""

    observations: np.ndarray  # [U, S, B, ...], of the type that replay stores
    actions: np.ndarray  # [U, S, K, B] int64
    rewards: np.ndarray  # [U, S, K, B] float32, as all below
    values: np.ndarray  # [U, S, K+1, B]
    policies: np.ndarray  # [U, S, K+1, B, A]
    reward_weights: np.ndarray  # [U, S, K, B]
    value_weights: np.ndarray  # [U, S, K+1, B]
    policy_weights: np.ndarray  # [U, S, K+1, B]

    def updates(self, part: slice) -> "Batch":
        """Returns some of the updates."""
        return Batch(*(field[part] for field in self))
