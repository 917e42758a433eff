"""How does the cart move, and when has the pole fallen?

Gymnasium's `CartPole-v1`, bit for bit: the equations of Barto, Sutton and Anderson (1983),
integrated with Euler steps of 0.02 s in float64.

    temp    = (F + m_p l theta'^2 sin(theta)) / m
    theta'' = (g sin(theta) - cos(theta) temp) / (l (4/3 - m_p cos(theta)^2 / m))
    x''     = temp - m_p l theta'' cos(theta) / m

with the force F = -10 N (action 0) or +10 N (action 1), the mass of the pole m_p = 0.1 kg, its half
length l = 0.5 m, and the mass of both m = 1.1 kg.

The four floats (x, x', theta, theta') are the state. It is terminal where |x| > 2.4 or |theta| > 12
degrees, as Gymnasium tests it; a reset never starts there. Every step taken from a non-terminal
state pays 1, the last one included.

Bit for bit holds because `_euler` keeps Gymnasium's order of operations, each correctly rounded,
and sine and cosine are those of numpy. Compiled code uses the C library's sine and cosine, which
today's numpy does too; `_compiled_is_exact` tests that, and where it fails numpy's are used
throughout.
"""

import functools
import math
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import ArrayLike, NDArray

from muzero_probe import threads
from muzero_probe.compiled import jit
from muzero_probe.envs import drawing
from muzero_probe.envs.base import Environment, StepResult

GRAVITY = 9.8  # m / s^2
POLE_MASS = 0.1  # kg
TOTAL_MASS = POLE_MASS + 1.0  # kg
HALF_LENGTH = 0.5  # m
POLE_MASS_LENGTH = POLE_MASS * HALF_LENGTH
FORCE = 10.0  # N
TIME_STEP = 0.02  # s
ANGLE_LIMIT = 12 * 2 * math.pi / 360  # rad
POSITION_LIMIT = 2.4  # m

# A quarter of a millisecond of work: with less, a thread costs more than it gains.
STEPS_PER_TASK = 16_384


def _euler(
    x: Any, x_dot: Any, theta: Any, theta_dot: Any, force: Any, sine: Any, cosine: Any
) -> tuple[Any, Any, Any, Any]:
    """One Euler step, for floats (compiled) and for arrays alike. Every bracket here matters."""
    temp = (force + POLE_MASS_LENGTH * (theta_dot * theta_dot) * sine) / TOTAL_MASS
    theta_acc = (GRAVITY * sine - cosine * temp) / (
        HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cosine * cosine) / TOTAL_MASS)
    )
    x_acc = temp - POLE_MASS_LENGTH * theta_acc * cosine / TOTAL_MASS
    return (
        x + TIME_STEP * x_dot,
        x_dot + TIME_STEP * x_acc,
        theta + TIME_STEP * theta_dot,
        theta_dot + TIME_STEP * theta_acc,
    )


_euler_compiled = jit(_euler)


@jit
def _outside(x: float, theta: float) -> bool:
    return x < -POSITION_LIMIT or x > POSITION_LIMIT or theta < -ANGLE_LIMIT or theta > ANGLE_LIMIT


@jit
def _step_compiled(states, actions, successors, rewards, terminated):
    """Fills the last three from `[B, 4]` states and `[B]` actions."""
    for b in range(states.shape[0]):
        x, x_dot, theta, theta_dot = states[b, 0], states[b, 1], states[b, 2], states[b, 3]
        over = _outside(x, theta)
        rewards[b] = 0.0 if over else 1.0
        if not over:
            force = FORCE if actions[b] == 1 else -FORCE
            x, x_dot, theta, theta_dot = _euler_compiled(
                x, x_dot, theta, theta_dot, force, math.sin(theta), math.cos(theta)
            )
            over = _outside(x, theta)
        successors[b, 0] = x
        successors[b, 1] = x_dot
        successors[b, 2] = theta
        successors[b, 3] = theta_dot
        terminated[b] = over


@jit
def _rollout_compiled(states, plans, rewards, alive):
    """Fills the last two, which are all zero before, from `[B, 4]` states and `[B, T]` plans."""
    for b in range(plans.shape[0]):
        x, x_dot, theta, theta_dot = states[b, 0], states[b, 1], states[b, 2], states[b, 3]
        for t in range(plans.shape[1]):
            if _outside(x, theta):
                break
            rewards[b, t] = 1.0
            alive[b, t] = True
            force = FORCE if plans[b, t] == 1 else -FORCE
            x, x_dot, theta, theta_dot = _euler_compiled(
                x, x_dot, theta, theta_dot, force, math.sin(theta), math.cos(theta)
            )


def _terminal(states: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (np.abs(states[:, 0]) > POSITION_LIMIT) | (np.abs(states[:, 2]) > ANGLE_LIMIT)


def _step_numpy(states, actions, successors, rewards, terminated) -> None:
    """The same as `_step_compiled`, with numpy's sine and cosine."""
    live = ~_terminal(states)
    x, x_dot, theta, theta_dot = np.ascontiguousarray(states[live].T)
    force = np.where(actions[live] == 1, FORCE, -FORCE)
    moved = _euler(x, x_dot, theta, theta_dot, force, np.sin(theta), np.cos(theta))
    successors[:] = states
    successors[live] = np.stack(moved, axis=1)
    rewards[:] = live
    terminated[:] = _terminal(successors)


@functools.cache
def _compiled_is_exact() -> bool:
    """Whether compiled code and numpy agree to the last bit, on 8192 states of every kind."""
    rng = np.random.default_rng(0)
    scales = np.array([POSITION_LIMIT, 3.0, ANGLE_LIMIT, 3.0])
    states = rng.uniform(-scales, scales, (8192, 4))
    actions = rng.integers(0, 2, len(states), np.int8)
    compiled, plain = (
        (np.empty_like(states), np.empty(len(states), np.float32), np.empty(len(states), np.bool_)) for _ in range(2)
    )
    _step_compiled(states, actions, *compiled)
    _step_numpy(states, actions, *plain)
    return all(np.array_equal(a, b) for a, b in zip(compiled, plain, strict=True))


class CartPole(Environment):
    """Gymnasium's `CartPole-v1`, bit for bit, for any number of states at once.

    States are float64 `[B, 4]`: position (m), velocity (m/s), angle (rad), angular velocity
    (rad/s). The observation is the state in float32.
    """

    name = "cartpole"
    num_actions = 2
    observation_shape = (4,)
    time_limit = 500
    alive_reward = 1.0
    state_dtype = np.float64
    state_shape = (4,)

    def __init__(self) -> None:
        """Compiles the kernels, or loads them from numba's cache, and tests that they are exact."""
        self._compiled = _compiled_is_exact()

    def reset(self, seeds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Draws the four floats from [-0.05, 0.05), as Gymnasium does with each seed."""
        generators = [seeding.np_random(seed)[0] for seed in self._check_seeds(seeds)]
        states = np.empty((len(generators), 4))
        for row, generator in zip(states, generators, strict=True):
            row[:] = generator.uniform(low=-0.05, high=0.05, size=(4,))
        return states, self.observe(states)

    def observe(self, states: np.ndarray) -> NDArray[np.float32]:
        """Returns the states in float32, `[B, 4]`."""
        return self._check_states(states).astype(np.float32)

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Pushes each cart to the left (0) or to the right (1) for 0.02 s."""
        states = np.ascontiguousarray(self._check_states(states))
        (B, _) = states.shape
        pushes = self._check_actions(actions, "actions", (B,)).astype(np.int8)
        successors = np.empty_like(states)
        rewards = np.empty(B, np.float32)
        terminated = np.empty(B, np.bool_)
        advance = _step_compiled if self._compiled else _step_numpy
        advance(states, pushes, successors, rewards, terminated)
        return StepResult(successors, successors.astype(np.float32), rewards, terminated)

    def rollout(self, states: np.ndarray, plans: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Follows one plan from each state; large batches are shared among the threads."""
        if not self._compiled:
            return super().rollout(states, plans)
        states = np.ascontiguousarray(self._check_states(states))
        pushes = self._check_actions(plans, "plans", (len(states), None))
        pushes = np.ascontiguousarray(pushes, np.int8)
        B, T = pushes.shape
        rewards = np.zeros((B, T), np.float32)
        alive = np.zeros((B, T), np.bool_)
        size = max(1, STEPS_PER_TASK // max(1, T))
        chunks = [slice(start, start + size) for start in range(0, B, size)]
        tasks = [
            functools.partial(_rollout_compiled, states[rows], pushes[rows], rewards[rows], alive[rows])
            for rows in chunks
        ]
        if len(tasks) > 1:
            threads.run(tasks)
        else:
            for task in tasks:
                task()
        return rewards, alive

    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Whether the cart has left the track or the pole has fallen, `[B]`."""
        return _terminal(self._check_states(states))

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """Draws cart and pole, `[B, 240, 360, 3]`."""
        return drawing.stacked([drawing.cart_pole(x, theta) for x, _, theta, _ in self._check_states(states)])
