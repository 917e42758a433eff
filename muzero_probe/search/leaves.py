"""What a new leaf is worth: the model's value, or one random rollout in the same model."""

from dataclasses import dataclass

import numpy as np

from muzero_probe import door
from muzero_probe.models.contract import Model, Prediction, rolled
from muzero_probe.randomness import random_plans
from muzero_probe.targets import discounted_sums

NO_HORIZON = np.iinfo(np.int32).max


@dataclass(frozen=True, kw_only=True)
class ValueLeaf:
    """The leaf's value is the model's prediction (MuZero)."""

    horizon: int = NO_HORIZON  # paths are never cut

    def __post_init__(self) -> None:
        """Refuses an impossible horizon."""
        door.whole("horizon of paths", self.horizon, 1, NO_HORIZON)

    def evaluate(
        self, model: Model, leaves: Prediction, depths: np.ndarray, keys: np.ndarray, simulation: int, discount: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns values [B] and an empty plan [B, 0]."""
        return leaves.values, np.zeros((len(depths), 0), np.int64)


@dataclass(frozen=True, kw_only=True)
class RolloutLeaf:
    """The leaf's value is the discounted reward sum of one uniformly random rollout (docs/protocol.md, planning).

    The rollout ends `horizon` steps after the *root*; at that depth the tree is not descended further and
    the leaf is worth 0.
    """

    horizon: int  # environment steps from the root

    def __post_init__(self) -> None:
        """Refuses an impossible horizon."""
        door.whole("planning horizon", self.horizon, 1)

    def evaluate(
        self, model: Model, leaves: Prediction, depths: np.ndarray, keys: np.ndarray, simulation: int, discount: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns values [B] and the rollouts' actions [B, T], -1 past the horizon.

        Args:
            model: the model to roll out in.
            leaves: its predictions at the leaves.
            depths: [B] edges between root and leaf.
            keys: [B] uint64, one random stream a row.
            simulation: index of the simulation, part of the stream.
            discount: per step.
        """
        steps = self.horizon - depths
        plans = random_plans(keys, simulation, int(steps.max(initial=0)), model.num_actions)
        rewards = rolled(model, leaves.states, plans).astype(np.float64)
        past = np.arange(plans.shape[1]) >= steps[:, None]
        rewards[past] = 0.0
        # summed in the order of time: a matrix product would round a row by the number and depths of the others
        values = discounted_sums(rewards, discount)[:, -1] if plans.shape[1] else np.zeros(len(plans))
        return values, np.where(past, -1, plans)
