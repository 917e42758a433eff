"""Where does the ball go, and which bricks does it break?

MinAtar's Breakout (Young and Tian 2019) with sticky actions off, its three meaningful actions and 10 x 10 x 4
planes. The game is the `minatar` package's own code; here, its few fields are put in and read out around every
step. The package is an optional extra for its licence (GPL), and imported only when this task is asked for.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muzero_probe.envs import drawing
from muzero_probe.envs.base import Environment, StepResult

# a state, uint8: the fields in this order, then the 10 x 10 map of bricks
FIELDS = ("ball_x", "ball_y", "ball_dir", "pos", "strike", "last_x", "last_y", "terminal")
# what the fields may be: the screen's places, four directions, and whether
MOST = np.array([9, 9, 3, 9, 1, 9, 9, 1], np.uint8)
BRICKS = len(FIELDS)
TERMINAL = FIELDS.index("terminal")
SIZE = 10  # side of the screen


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the package from writing to, and from setting up, everybody's log where it misses a drawing library."""
    nobody = logging.NullHandler()
    logging.getLogger().addHandler(nobody)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(nobody)


class MinAtarBreakout(Environment):
    """MinAtar's Breakout, from any state.

    States are uint8 `[B, 108]`. Rewards are 1 per brick; an episode ends when the ball is lost.

    Raises:
        ImportError: if the package `minatar` is not installed.
    """

    name = "minatar"
    num_actions = 3  # stay, left, right
    observation_shape = (SIZE, SIZE, 4)  # paddle, ball, trail, bricks
    observation_dtype = np.uint8
    time_limit = 1_000  # steps; Gymnax's. MinAtar has none, and an agent that never misses would play for ever
    state_dtype = np.uint8
    state_shape = (BRICKS + SIZE * SIZE,)

    def __init__(self) -> None:
        try:
            with _quiet():
                from minatar.environments.breakout import Env
        except ImportError:
            raise ImportError(
                f"{self.name}: the package minatar is not installed: pip install 'muzero-probe[minatar]' "
                "(its licence is the GPL)"
            ) from None
        self._new_game = Env
        self._of_thread = threading.local()
        self._actions = self._game.minimal_action_set()

    def reset(self, seeds: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Starts B episodes, each as MinAtar's `seed` and `reset` would."""
        kept = self._check_seeds(seeds)
        states = np.empty((len(kept), *self.state_shape), np.uint8)
        game = self._game
        for state, seed in zip(states, kept, strict=True):
            game.random = np.random.RandomState(seed % 2**32)
            game.reset()
            self._read(state)
        return states, self.observe(states)

    def observe(self, states: np.ndarray) -> np.ndarray:
        """Returns the planes, `[B, 10, 10, 4]`, 0 or 1."""
        states = self._check_states(states)
        observations = np.empty((len(states), *self.observation_shape), np.uint8)
        for state, observation in zip(states, observations, strict=True):
            self._write(state)
            observation[:] = self._game.state()
        return observations

    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Whether the ball is lost, `[B]`."""
        return self._check_states(states)[:, TERMINAL] != 0

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Takes one action in each state."""
        states = self._check_states(states)
        (B,) = states.shape[:1]
        chosen = self._check_actions(actions, "actions", (B,)).tolist()
        successors = np.empty_like(states)
        observations = np.empty((B, *self.observation_shape), np.uint8)
        rewards = np.empty(B, np.float32)
        for b in range(B):
            self._write(states[b])
            rewards[b], _ = self._game.act(self._actions[chosen[b]])
            self._read(successors[b])
            observations[b] = self._game.state()
        return StepResult(successors, observations, rewards, self.is_terminal(successors))

    def rollout(self, states: np.ndarray, plans: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Follows one plan from each state without reading states between."""
        states = self._check_states(states)
        chosen = self._check_actions(plans, "plans", (len(states), None)).tolist()
        T = np.shape(plans)[1]
        rewards = np.zeros((len(states), T), np.float32)
        alive = np.zeros((len(states), T), np.bool_)
        game = self._game
        for b, plan in enumerate(chosen):
            self._write(states[b])
            for t, action in enumerate(plan):
                if game.terminal:
                    break
                alive[b, t] = True
                rewards[b, t], _ = game.act(self._actions[action])
        return rewards, alive

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """Draws the planes as coloured cells, `[B, 240, 240, 3]`."""
        return drawing.minatar(self.observe(states))

    def _check_states(self, states: np.ndarray) -> np.ndarray:
        states = super()._check_states(states)
        odd = (states[:, :BRICKS] > MOST).any(0)
        if odd.any():
            name, most = FIELDS[int(odd.argmax())], MOST[odd.argmax()]
            raise self._error(f"states must have {name} in 0..{most}, got {states[:, odd.argmax()].max()}")
        if (states[:, BRICKS:] > 1).any():
            raise self._error(f"states must have bricks 0 or 1, got {states[:, BRICKS:].max()}")
        return states

    @property
    def _game(self) -> Any:
        """The thread's own: searches of several rows run side by side."""
        if not hasattr(self._of_thread, "game"):
            self._of_thread.game = self._new_game()
        return self._of_thread.game

    def _write(self, state: np.ndarray) -> None:
        """Puts the game into a state."""
        game = self._game
        (
            game.ball_x, game.ball_y, game.ball_dir, game.pos, game.strike, game.last_x, game.last_y, game.terminal,
        ) = state[:BRICKS].tolist()  # fmt: skip
        game.brick_map = state[BRICKS:].reshape(SIZE, SIZE).copy()

    def _read(self, state: np.ndarray) -> None:
        """Writes the game's state into `state`."""
        game = self._game
        state[:BRICKS] = (
            game.ball_x, game.ball_y, game.ball_dir, game.pos, game.strike, game.last_x, game.last_y, game.terminal,
        )  # fmt: skip
        state[BRICKS:] = game.brick_map.ravel()
