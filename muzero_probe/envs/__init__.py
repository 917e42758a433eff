"""The environments: T(s, a) and R(s, a) as functions of an explicit state; `base` states the contract that all keep."""

import gymnasium

from muzero_probe.envs.base import Environment, StepResult
from muzero_probe.envs.replayed import Replayed

__all__ = ["Environment", "Replayed", "StepResult"]

gymnasium.register(
    "muzero_probe/LunarLander-v3",
    entry_point="muzero_probe.envs.lunar_lander:DeterministicLunarLander",
    max_episode_steps=1000,  # Gymnasium's own
)
