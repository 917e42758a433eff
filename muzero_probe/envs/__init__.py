"""The environments: T(s, a) and R(s, a) as functions of an explicit state.

`make(name)` builds one by its name; `base` states the contract that all keep.
"""

from collections.abc import Callable
from functools import partial

import gymnasium

from muzero_probe.envs import planted
from muzero_probe.envs.base import Environment, StepResult
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.replayed import Replayed

__all__ = ["Environment", "Replayed", "StepResult", "make", "names"]

gymnasium.register(
    "muzero_probe/LunarLander-v3",
    entry_point="muzero_probe.envs.lunar_lander:DeterministicLunarLander",
    max_episode_steps=1000,  # Gymnasium's own
)


def _lunar_lander() -> Environment:
    from muzero_probe.envs.lunar_lander import lunar_lander  # loads Box2D, which no other task needs

    return lunar_lander()


def _minatar() -> Environment:
    from muzero_probe.envs.minatar import Breakout

    return Breakout()


def _breakout(side: int = 96, time_limit: int | None = None) -> Environment:
    from muzero_probe.envs import breakout  # loads the emulator

    return breakout.Breakout(side=side, time_limit=time_limit or breakout.TIME_LIMIT)


# Each key is the `name` of what its value builds.
_BUILDERS: dict[str, Callable[[], Environment]] = {
    "cartpole": CartPole,
    "lunar_lander": _lunar_lander,
    "minatar": _minatar,
    "breakout": _breakout,
    "breakout-48": partial(_breakout, side=48),
    "breakout-48-40": partial(_breakout, side=48, time_limit=40),  # where seconds are to do
    "chain-5": planted.chain,
    "tree-3x2": planted.tree,
    "bandit-3": planted.bandit,
}


def names() -> tuple[str, ...]:
    """Returns the names that `make` knows."""
    return tuple(_BUILDERS)


def make(name: str) -> Environment:
    """Builds the environment of that name.

    Raises:
        ValueError: if there is no environment of that name.
    """
    if name not in _BUILDERS:
        raise ValueError(f"environment {name!r} is unknown, known are: {', '.join(names())}")
    return _BUILDERS[name]()
