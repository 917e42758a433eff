"""What do T(s, a) and R(s, a) answer, from any state?

The probes ask for both from states that were met long ago: to roll one state forward along hundreds
of plans, and to grow search trees on the true dynamics. So an environment is a function of an
explicit state, batched over rows B, and holds no current state that a caller could notice
(docs/protocol.md, Environments).

States are numpy arrays with a leading axis B: float64 `[B, 4]` for Cart Pole, `[B]` objects where a
state is an object. They can be indexed, concatenated with `np.concatenate`, and written to bytes.

A termination belongs to T: a terminal state is absorbing, with reward 0 for ever. A time limit does
not: the caller counts steps.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muzero_probe import door

MAGIC = b"muzero-probe states "


class StepResult(NamedTuple):
    """What one step from B states leads to.

    Attributes:
        states: `[B, ...]`, the next states; a terminal state leads to itself.
        observations: `[B, *obs]` of the environment's dtype, of the next states.
        rewards: `[B]` float32, in the task's own units.
        terminated: `[B]` bool, whether the next states are terminal.
    """

    states: np.ndarray
    observations: np.ndarray
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]


class Environment(ABC):
    """A deterministic task with discrete actions, as a function of an explicit state.

    No method modifies its arguments; several threads may call them at once. Every method that takes states,
    actions, plans or seeds raises ValueError, in one line, when their shape, type or range is wrong.

    A subclass whose states are plain arrays sets `state_dtype` and `state_shape`; one whose states
    are objects overrides `_check_states`, `_pack` and `_unpack` instead.

    Attributes:
        name: names the task; part of every blob of states.
        num_actions: A; actions are 0..A-1.
        observation_shape: shape of one observation.
        observation_dtype: dtype of observations.
        screens: F, where an observation is the last F screens along its first axis, oldest first, and a game starts
            with its first screen F times; 1 where observations share nothing. Replay stores screens once.
        time_limit: steps after which an episode is truncated, None for no limit. No part of T.
        alive_reward: the reward of every step taken from a non-terminal state, where that is a
            constant of the task, else None.
        state_version: of the byte format of the states; raised when it changes.
        state_dtype: dtype of array states.
        state_shape: shape of one row of array states.
    """

    name: str
    num_actions: int
    observation_shape: tuple[int, ...]
    observation_dtype: type[np.generic] = np.float32
    screens: int = 1
    time_limit: int | None = None
    alive_reward: float | None = None
    state_version: ClassVar[int] = 1
    state_dtype: ClassVar[type[np.generic]]
    state_shape: ClassVar[tuple[int, ...]]

    @abstractmethod
    def reset(self, seeds: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Starts B episodes, each as Gymnasium's `reset(seed=...)` would.

        Args:
            seeds: `[B]` integers, 0 or more.

        Returns:
            The start states `[B, ...]` and their observations `[B, *obs]`.
        """

    def restart(self, states: np.ndarray, seeds: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Goes on acting behind terminal states `[B, ...]`: with new episodes, unless the task says otherwise."""
        self._check_states(states)
        return self.reset(seeds)

    @property
    def evaluation(self) -> "Environment":
        """The task as its scores are counted, of the same states: itself, unless training changes the task."""
        return self

    @abstractmethod
    def observe(self, states: np.ndarray) -> np.ndarray:
        """Returns the observations `[B, *obs]` of the states `[B, ...]`."""

    @abstractmethod
    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Takes one action in each state: T(s, a) and R(s, a).

        Args:
            states: `[B, ...]`.
            actions: `[B]` integers in 0..A-1; in a terminal state every action does nothing.
        """

    @abstractmethod
    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Returns, as `[B]` bool, which of the states `[B, ...]` are terminal."""

    def in_play(self, states: np.ndarray) -> NDArray[np.bool_] | None:
        """Returns in which of the states `[B, ...]` the game is on, as `[B]` bool; None where the task does not say.

        It is not where the agent must do something first, such as serve.
        """
        return None

    def rollout(self, states: np.ndarray, plans: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Follows one plan from each state, to its end or to a termination.

        Args:
            states: `[B, ...]`.
            plans: `[B, T]` integers in 0..A-1.

        Returns:
            The rewards `[B, T]` (0 after a termination), and `[B, T]` bool, whether the state
            before action t was non-terminal.
        """
        states = self._check_states(states)
        actions = self._check_actions(plans, "plans", (len(states), None))
        rewards = np.zeros(actions.shape, np.float32)
        alive = np.zeros(actions.shape, np.bool_)
        terminated = self.is_terminal(states)
        for t in range(actions.shape[1]):
            if terminated.all():
                break
            alive[:, t] = ~terminated
            states, _, rewards[:, t], terminated = self.step(states, actions[:, t])
        return rewards, alive

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """Returns pictures `[B, height, width, 3]` of the states `[B, ...]`, for people; an environment may have none.

        Raises:
            ValueError: if there are no pictures of this environment.
            ImportError: if what draws them is not installed.
        """
        raise self._error("there are no pictures of this environment")

    def to_bytes(self, states: np.ndarray) -> bytes:
        """Writes the states: a line that names environment, version, size and a digest of all, then the data."""
        states = self._check_states(states)
        payload = self._pack(states)
        header = {
            "environment": self.name,
            "version": self.state_version,
            "rows": len(states),
            "bytes": len(payload),
        }
        return MAGIC + json.dumps(header | {"digest": _digest(header, payload)}).encode() + b"\n" + payload

    def from_bytes(self, data: bytes) -> np.ndarray:
        """Reads the states `[B, ...]` that `to_bytes` wrote.

        Raises:
            ValueError: if the data are not states, or are truncated or altered, or belong to another
                environment or to another version of its format.
        """
        data = bytes(data)
        line, newline, payload = data.partition(b"\n")
        if not (line.startswith(MAGIC) or MAGIC.startswith(line)):
            raise self._error("these bytes are not states written by to_bytes")
        if not newline:
            raise self._error(f"states are truncated: {len(data)} bytes do not hold the header")
        try:
            header = json.loads(line[len(MAGIC) :])
            environment, version = header["environment"], header["version"]
            rows, size, digest = header["rows"], header["bytes"], header.pop("digest", None)
            if not all(type(count) is int and count >= 0 for count in (rows, size)):
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._error("the header of these states cannot be read") from None
        if (environment, version) != (self.name, self.state_version):
            raise self._error(
                f"reads its own states, version {self.state_version}, not those of {environment}, version {version}"
            )
        if len(payload) != size:
            kind = "truncated" if len(payload) < size else "too long"
            raise self._error(f"states are {kind}: {len(payload)} bytes of data, {size} expected")
        if digest is None:
            raise self._error("these states have no digest: an older version wrote them, make them anew")
        if digest != _digest(header, payload):
            raise self._error("these states are damaged: their digest is another one")
        try:
            states = self._check_states(self._unpack(payload, rows))
            if len(states) != rows:
                raise ValueError(f"{len(states)} rows, {rows} expected")
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise self._error(f"the data of these states are damaged ({error})") from None
        return states

    def _pack(self, states: np.ndarray) -> bytes:
        """Returns the rows as bytes, without a header. Little-endian."""
        return states.astype(np.dtype(self.state_dtype).newbyteorder("<")).tobytes()

    def _unpack(self, payload: bytes, rows: int) -> np.ndarray:
        """Inverse of `_pack`; the result is writable. May raise ValueError, TypeError, KeyError."""
        expected = rows * int(np.prod(self.state_shape, dtype=np.int64)) * np.dtype(self.state_dtype).itemsize
        if len(payload) != expected:
            raise ValueError(f"{len(payload)} bytes, {expected} expected of {rows} rows")
        values = np.frombuffer(payload, np.dtype(self.state_dtype).newbyteorder("<"))
        return values.astype(self.state_dtype).reshape(rows, *self.state_shape)

    def _check_states(self, states: np.ndarray) -> np.ndarray:
        """Returns the states, or raises ValueError."""
        allowed = ", ".join(["B", *map(str, self.state_shape)])
        if not isinstance(states, np.ndarray) or states.dtype != self.state_dtype:
            got = states.dtype if isinstance(states, np.ndarray) else type(states).__name__
            raise self._error(f"states must be a {self.state_dtype.__name__} array, got {got}")
        if states.ndim == 0 or states.shape[1:] != self.state_shape:
            raise self._error(f"states must have shape [{allowed}], got {list(states.shape)}")
        if states.dtype.kind == "f":
            try:
                door.all_finite("states", states)
            except ValueError as error:
                raise self._error(str(error)) from None
        return states

    def _check_objects(self, states: np.ndarray, kind: type) -> np.ndarray:
        """`_check_states` where a state is an object of some kind."""
        if not isinstance(states, np.ndarray) or states.dtype != object or states.ndim != 1:
            got = f"{states.dtype} {list(states.shape)}" if isinstance(states, np.ndarray) else type(states).__name__
            raise self._error(f"states must be an object array [B], got {got}")
        for state in states:
            if not isinstance(state, kind):
                raise self._error(f"states must hold {kind.__name__} objects, got {type(state).__name__}")
        return states

    def _check_actions(self, actions: ArrayLike, what: str, shape: tuple[int | None, ...]) -> NDArray[np.integer[Any]]:
        """Returns the actions as an integer array of the shape (None: any length), or raises."""
        if door.are_actions(actions, shape, self.num_actions):
            return np.asarray(actions)
        array = _as_array(actions)
        fits = array.ndim == len(shape) and all(
            wanted is None or wanted == length for wanted, length in zip(shape, array.shape, strict=True)
        )
        if not fits:
            allowed = ", ".join("T" if length is None else str(length) for length in shape)
            raise self._error(f"{what} must have shape [{allowed}], got {list(array.shape)}")
        if array.size == 0:
            return array.astype(np.int64)
        if array.dtype.kind not in "iu":
            raise self._error(f"{what} must be integers, got {array.dtype}")
        for value in (array.min(), array.max()):
            if not 0 <= value < self.num_actions:
                raise self._error(f"{what} must lie in 0..{self.num_actions - 1}, got {int(value)}")
        return array

    def _check_seeds(self, seeds: ArrayLike) -> list[int]:
        """Returns the seeds as Python integers, or raises ValueError."""
        array = _as_array(seeds)
        if array.ndim != 1:
            raise self._error(f"seeds must have shape [B], got {list(array.shape)}")
        if array.size and (array.dtype.kind not in "iu" or array.min() < 0):
            raise self._error("seeds must be integers, 0 or more")
        return [int(seed) for seed in array]

    def _error(self, message: str) -> ValueError:
        return ValueError(f"{self.name}: {message}")


def _as_array(given: ArrayLike) -> np.ndarray:
    """Returns an array of objects where numbers of a list do not fit together, to be refused."""
    try:
        return np.asarray(given)
    except ValueError:
        return object_array(list(given))  # pyright: ignore[reportArgumentType]


def _digest(header: dict[str, Any], payload: bytes) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode() + b"\n")
    digest.update(payload)
    return digest.hexdigest()


def check_step(env: Environment, step: StepResult, rows: int) -> StepResult:
    """Returns what an environment, perhaps somebody's own, answers to one action in each of B = `rows` states.

    Raises:
        ValueError: if it is not what the contract says, or not finite; one line names the environment.
    """
    try:
        states, observations, rewards, terminated = door.instance("step's answer", step, StepResult)
        if (
            type(rewards) is type(terminated) is type(observations) is type(states) is np.ndarray
            and rewards.dtype == np.float32 and terminated.dtype == np.bool_ and len(states) == rows
            and rewards.shape == (rows,) == terminated.shape and observations.shape == (rows, *env.observation_shape)
            and observations.dtype.kind in "fiub" and math.isfinite(np.add.reduce(rewards))
            and (observations.dtype.kind != "f" or math.isfinite(np.add.reduce(observations, None)))
        ):  # fmt: skip
            return step  # soon told
        door.array("rewards", rewards, (rows,), door.REALS)
        door.array("terminated", terminated, (rows,), door.BOOLEANS)
        _check_seen(env, states, observations, rows)
    except (TypeError, ValueError) as error:
        raise env._error(str(error)) from None
    return step


def check_reset(env: Environment, found: tuple[np.ndarray, np.ndarray], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what an environment, perhaps somebody's own, answers to a reset of B = `rows` episodes.

    Raises:
        ValueError: as `check_step`.
    """
    try:
        if not isinstance(found, tuple) or len(found) != 2:
            raise TypeError(f"reset must return states and observations, not {type(found).__name__}")
        _check_seen(env, *found, rows)
    except (TypeError, ValueError) as error:
        raise env._error(str(error)) from None
    return found


def in_play(env: Environment, states: np.ndarray) -> NDArray[np.bool_] | None:
    """Returns what an environment, perhaps somebody's own, says of B states: `[B]` bool, or None.

    Raises:
        ValueError: as `check_step`.
    """
    found = env.in_play(states)
    try:
        return None if found is None else door.array("in_play", found, (len(states),), door.BOOLEANS)
    except (TypeError, ValueError) as error:
        raise env._error(str(error)) from None


def _check_seen(env: Environment, states: np.ndarray, observations: np.ndarray, rows: int) -> None:
    if not isinstance(states, np.ndarray) or not states.ndim or len(states) != rows:
        came = list(states.shape) if isinstance(states, np.ndarray) else type(states).__name__
        raise ValueError(f"states must be an array of {rows} rows, not {came}")
    door.array("observations", observations, (rows, *env.observation_shape), "fiub")


def start_states(env: Environment, states: np.ndarray) -> np.ndarray:
    """Returns states [B, ...] to plan or to measure from: none may be terminal, since nothing happens behind an end.

    Raises:
        ValueError: if one is, or they are no states of the environment.
    """
    over = door.instance("env", env, Environment).is_terminal(states)
    if over.any():
        raise env._error(f"states must not be terminal to start from, row {int(over.argmax())} is")
    return states


def followed(env: Environment, states: np.ndarray, plans: np.ndarray) -> NDArray[np.float32]:
    """Returns the rewards [B, T] along plans [B, T] from states [B, ...].

    Raises:
        ValueError: if the environment, perhaps somebody's own, gives them in another shape, or not finite.
    """
    rewards, _ = env.rollout(states, plans)
    try:
        return door.array("rewards", rewards, np.shape(plans), door.REALS)
    except (TypeError, ValueError) as error:
        raise env._error(str(error)) from None


def object_array(values: Sequence[object]) -> np.ndarray:
    """Returns the values as `[B]` objects, also for B = 0."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
