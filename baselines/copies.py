"""Copies of an `Environment` as stable-baselines3 plays them: the same dynamics, rewards, resets and time limits."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from muzero_probe.envs.base import Environment


class Copies(VecEnv):
    """N copies of an environment, as training of MuZero plays them (`training.acting`).

    Behind a termination, the environment's `restart` says how acting goes on; behind a time limit a new episode
    begins, and the limit is a truncation: `infos` say so, with the observation at which it cuts.

    Args:
        env: what is played.
        copies: N.
        rng: draws the seeds of resets.
    """

    def __init__(self, env: Environment, copies: int, rng: np.random.Generator) -> None:
        self.env = env
        self.rng = rng
        self._shown, box = view(env)
        super().__init__(copies, box, spaces.Discrete(env.num_actions))
        self.actions = np.zeros(copies, np.int64)
        self.states = np.empty(0)  # [N, ...], from `reset` on
        self.lengths = np.zeros(copies, np.int64)  # [N] steps of the running episodes

    def reset(self) -> np.ndarray:
        """Starts N episodes; returns their observations [N, *obs]."""
        self.states, observations = self.env.reset(self._draw(self.num_envs))
        self.lengths[:] = 0
        return self._shown(observations)

    def step_async(self, actions: np.ndarray) -> None:
        """Takes the actions [N] of the step."""
        self.actions = np.asarray(actions)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Returns observations [N, *obs], rewards [N], which episodes ended [N], and N infos of how they did."""
        step = self.env.step(self.states, self.actions)
        self.lengths += 1
        limit = ~step.terminated & (self.lengths == self.env.time_limit)
        ended = step.terminated | limit
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self.states, observations = step.states, step.observations
        if ended.any():
            self.states, observations = self.states.copy(), observations.copy()
            last = self._shown(step.observations)
            for row in np.flatnonzero(ended):
                infos[row] = {"terminal_observation": last[row], "TimeLimit.truncated": bool(limit[row])}
            rows = np.flatnonzero(step.terminated)
            self.states[rows], observations[rows] = self.env.restart(self.states[rows], self._draw(rows.size))
            rows = np.flatnonzero(limit)
            self.states[rows], observations[rows] = self.env.reset(self._draw(rows.size))
            self.lengths[ended] = 0
        return self._shown(observations), step.rewards, ended, infos

    def _draw(self, episodes: int) -> np.ndarray:
        return self.rng.integers(2**31, size=episodes)

    def close(self) -> None:
        """There is nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Returns None for each copy: the library asks for `render_mode`."""
        return [None for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuses: copies share one environment."""
        raise NotImplementedError(f"{attr_name} of single copies cannot be set")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Refuses: copies share one environment."""
        raise NotImplementedError(f"{method_name} of single copies cannot be called")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No copy is wrapped."""
        return [False for _ in self._get_indices(indices)]


def view(env: Environment) -> tuple[Callable[[np.ndarray], np.ndarray], spaces.Box]:
    """Returns what turns observations [N, *obs] of an environment into those of the library, and their space.

    Vectors stay as they are. Planes [10, 10, 4] of 0 and 1 come first; so do the colours of screens [4, side, side, 3],
    as planes [12, side, side] of 0 to 255.

    Raises:
        ValueError: if observations have another shape.
    """
    shape = env.observation_shape
    orders: dict[int, Sequence[int]] = {1: (0, 1), 3: (0, 3, 1, 2), 4: (0, 1, 4, 2, 3)}
    if len(shape) not in orders:
        raise ValueError(f"{env.name}: observations {list(shape)} are neither vectors nor planes nor screens")
    order = orders[len(shape)]

    def shown(observations: np.ndarray) -> np.ndarray:
        turned = observations.transpose(order)
        return np.ascontiguousarray(
            turned.reshape(len(observations), -1, *turned.shape[-2:]) if len(shape) > 1 else turned
        )

    dtype: Any = env.observation_dtype
    if len(shape) == 1:
        return shown, spaces.Box(-np.inf, np.inf, shape, dtype)
    found = shown(np.zeros((1, *shape), env.observation_dtype)).shape[1:]
    return shown, spaces.Box(0, 1 if len(shape) == 3 else 255, found, dtype)
