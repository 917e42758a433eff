"""Where does the lander go, and what does it earn?

Gymnasium's `LunarLander-v3` with the engines' dispersion removed (both random numbers of a step are 0) and
no wind (docs/protocol.md, Environments). Terrain and initial force stay random at reset.

`DeterministicLunarLander` is Gymnasium's own class. `LunarLander` answers T(s, a) and R(s, a) from any
state: it puts images of Box2D worlds back (`image`), and between them runs Gymnasium's step compiled
(`step`), the physics being Box2D's own. Both are proved against Gymnasium when the first one is
built; where that proof fails, `lunar_lander` falls back to replaying prefixes.
"""

import functools
import json
import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muzero_probe import threads
from muzero_probe.envs import drawing
from muzero_probe.envs.base import Environment, StepResult, object_array
from muzero_probe.envs.lunar_lander import step as physics
from muzero_probe.envs.lunar_lander.image import LayoutError, Memory, function, restore
from muzero_probe.envs.replayed import Replayed

# isort: split
from gymnasium.envs.box2d import lunar_lander as original  # `image` has imported Box2D without its warnings
from gymnasium.utils import EzPickle

NAME = "lunar_lander"
GYM_ID = "muzero_probe/LunarLander-v3"  # registered in envs
TIME_LIMIT = 1000  # steps; Gymnasium's
ROWS_PER_TASK = 16  # of a batch that is shared among the threads


class _Calm:
    """Random numbers for a lander without dispersion or with flat ground."""

    def __init__(self, generator: np.random.Generator, dispersion: bool, flat: bool) -> None:
        self._generator = generator
        self._dispersion = dispersion
        self._flat = flat

    def uniform(self, low: float, high: float, size: Any = None) -> Any:
        if size is None and (low, high) == (-1.0, 1.0) and not self._dispersion:
            return 0.0
        drawn = self._generator.uniform(low, high, size)
        if size is not None and self._flat:  # the heights of the terrain; the pad lies at half the highest
            return np.full(size, high / 2)
        return drawn


class DeterministicLunarLander(original.LunarLander):
    """Gymnasium's Lunar Lander with discrete actions and no wind, and without dispersion unless asked for.

    Args:
        render_mode: as in Gymnasium.
        dispersion: keep the engines' random dispersion; this is `LunarLander-v3` then.
        flat_terrain: ground as high as the pad everywhere.
    """

    def __init__(self, render_mode: str | None = None, *, dispersion: bool = False, flat_terrain: bool = False) -> None:
        super().__init__(render_mode=render_mode)
        EzPickle.__init__(self, render_mode, dispersion=dispersion, flat_terrain=flat_terrain)
        self._dispersion = dispersion
        self._flat = flat_terrain

    @property
    def np_random(self) -> Any:
        """Random numbers as Gymnasium's code draws them."""
        return _Calm(super().np_random, self._dispersion, self._flat)

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._np_random = value


class FlightState:
    """One state of a flight.

    Attributes:
        flight: the world that it is a state of.
        number: counts the flight's states; tells whether the world is in this one already.
        lines: [n, 9] int64, its image (`image.take`).
        past: (past of the state before, action taken there), None at the start.
        observation: [8] float32.
        terminated: whether it is terminal.
    """

    __slots__ = ("flight", "lines", "number", "observation", "past", "terminated")

    def __init__(self, flight: "_Flight", number: int, lines: np.ndarray, past: Any, observation: np.ndarray) -> None:
        self.flight = flight
        self.number = number
        self.lines = lines
        self.past = past
        self.observation = observation
        self.terminated = False

    def actions(self) -> list[int]:
        """Returns the actions since the start."""
        actions = []
        past = self.past
        while past is not None:
            past, action = past
            actions.append(action)
        return actions[::-1]


class _Flight:
    """One world, which all states of an episode share."""

    def __init__(self, seed: int, flat: bool) -> None:
        game = DeterministicLunarLander(flat_terrain=flat)
        observation, _ = game.reset(seed=seed)
        game.world.contactListener = None  # ours does the same; and a cycle of references less
        game.world.contactListener_keepref = None  # pyright: ignore[reportAttributeAccessIssue]
        self.seed = seed
        self.flat = flat
        self.game = game  # keeps the world alive
        self.record = physics.listen(game)
        self.memory = Memory(game.world, self.record[physics.STATE :])
        self.machine = physics.Machine(
            function("_ZN7b2World4StepEfii"), self.memory.world, self.record, game.helipad_y,
            self.memory.addresses, self.memory.lengths, self.memory.base, self.memory.expected,
        )  # fmt: skip
        self.lock = threading.Lock()  # rows of one flight may meet in several threads
        self.count = 0
        self.now: int | None = 0
        self.start = FlightState(self, 0, np.empty((0, 9), np.int64), None, observation)

    def follow(self, state: FlightState, actions: list[int], rewards: np.ndarray) -> FlightState:
        """Takes actions from a non-terminal state, to their end or to a termination.

        rewards [T] float32 receives what they earn. Returns the last state.
        """
        observation = np.empty(8, np.float32)
        with self.lock:
            taken, terminated, lines = physics.follow(
                self.machine, state.lines, self.now != state.number, np.array(actions), observation, rewards, True
            )
            self.count += 1
            self.now = number = self.count
        if len(lines) and lines[0, 0] < 0:
            raise RuntimeError(f"{NAME}: the world has grown since its reset, its image is incomplete")
        past = state.past
        for action in actions[:taken]:
            past = (past, action)
        successor = FlightState(self, number, lines, past, observation)
        successor.terminated = terminated
        return successor

    def roll(self, state: FlightState, plan: np.ndarray, rewards: np.ndarray) -> int:
        """Follows a plan [T] int64 from a non-terminal state; returns the number of steps until a termination."""
        with self.lock:
            taken, _, _ = physics.follow(
                self.machine, state.lines, self.now != state.number, plan, np.empty(8, np.float32), rewards, False
            )
            self.now = None
        return taken

    def look(self, state: FlightState) -> drawing.Scene:
        """What is to be seen in a state."""
        memory = self.memory
        with self.lock:
            if self.now != state.number:
                restore(memory.addresses, memory.lengths, memory.base, state.lines)
                self.now = state.number
            return _scene(self.game, None if state.past is None else state.past[1])


def _scene(game: Any, action: int | None) -> drawing.Scene:
    """What is to be seen of a game, after an action."""
    lander, *legs = (
        [tuple(body.transform * corner) for corner in body.fixtures[0].shape.vertices]
        for body in (game.lander, *game.legs)
    )
    # the pieces of the sky stand side by side on the ground, their first two corners
    ground = [game.sky_polys[0][0], *(piece[1] for piece in game.sky_polys)]
    pad = (game.helipad_x1, game.helipad_x2, game.helipad_y)
    return drawing.Scene(ground, pad, lander, legs, game.lander.angle, action)


class LunarLander(Environment):
    """Deterministic Lunar Lander, from any state.

    States are object arrays `[B]` of `FlightState`. An episode's states share one world; memory per state is the
    difference to the start of its episode, 1 to 4 KiB. Rewards and observations are Gymnasium's, in float32.

    Args:
        flat_terrain: ground as high as the pad everywhere.

    Raises:
        LayoutError: if images of worlds, or the compiled step, do not prove exact with this build of Box2D.
    """

    num_actions = 4
    observation_shape = (8,)
    time_limit = TIME_LIMIT

    def __init__(self, *, flat_terrain: bool = False) -> None:
        prove()
        self.name = _name(flat_terrain)
        self._flat = flat_terrain

    def reset(self, seeds: ArrayLike) -> tuple[np.ndarray, NDArray[np.float32]]:
        """Starts B episodes in worlds of their own."""
        states = object_array([_Flight(seed, self._flat).start for seed in self._check_seeds(seeds)])
        return states, self.observe(states)

    def observe(self, states: np.ndarray) -> NDArray[np.float32]:
        """Returns Gymnasium's eight numbers, `[B, 8]`."""
        states = self._check_states(states)
        return np.array([state.observation for state in states], np.float32).reshape(len(states), 8)

    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Whether the lander crashed, left the screen or came to rest, `[B]`."""
        return np.array([state.terminated for state in self._check_states(states)], np.bool_)

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Takes one action in each state.

        In one thread: a step is half interpreter, half Box2D, and two threads that hand the interpreter's lock to
        each other every 20 microseconds took 1.6 times as long as one.
        """
        states = self._check_states(states)
        (B,) = states.shape
        chosen = self._check_actions(actions, "actions", (B,)).tolist()
        rewards = np.zeros((B, 1), np.float32)
        successors = states.copy()
        for b in _live(states):
            successors[b] = states[b].flight.follow(states[b], [chosen[b]], rewards[b])
        return StepResult(successors, self.observe(successors), rewards[:, 0], self.is_terminal(successors))

    def rollout(self, states: np.ndarray, plans: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Follows one plan from each state without taking states between; the rows are shared among the threads."""
        states = self._check_states(states)
        chosen = self._check_actions(plans, "plans", (len(states), None)).astype(np.int64)
        rewards = np.zeros(chosen.shape, np.float32)
        alive = np.zeros(chosen.shape, np.bool_)
        live = _live(states)

        def roll(rows: list[int]) -> None:
            for b in rows:
                alive[b, : states[b].flight.roll(states[b], chosen[b], rewards[b])] = True

        threads.run([functools.partial(roll, live[i : i + ROWS_PER_TASK]) for i in range(0, len(live), ROWS_PER_TASK)])
        return rewards, alive

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """Draws the terrain, the lander, and the flame of the last action, `[B, 240, 360, 3]`."""
        return drawing.stacked([drawing.lunar_lander(state.flight.look(state)) for state in self._check_states(states)])

    def _check_states(self, states: np.ndarray) -> np.ndarray:
        for state in self._check_objects(states, FlightState):
            if state.flight.flat != self._flat:
                raise self._error(f"states must be of its own ground, got one of {_name(state.flight.flat)}")
        return states

    def _pack(self, states: np.ndarray) -> bytes:
        # an image points into its own world: elsewhere, the prefix is the state
        return json.dumps([[state.flight.seed, state.actions()] for state in states]).encode()

    def _unpack(self, payload: bytes, rows: int) -> np.ndarray:
        flights: dict[int, _Flight] = {}
        states = []
        entries = json.loads(payload)
        if not isinstance(entries, list) or len(entries) != rows:
            raise ValueError(f"not the prefixes of {rows} rows")
        for seed, actions in entries:
            self._check_seeds([seed])
            self._check_actions(actions, "actions", (None,))
            if seed not in flights:
                flights[seed] = _Flight(seed, self._flat)
            start = flights[seed].start
            states.append(
                flights[seed].follow(start, actions, np.empty(len(actions), np.float32)) if actions else start
            )
            if states[-1].past is not None and len(states[-1].actions()) < len(actions):
                raise ValueError(f"{len(actions)} actions, of which the flight is over before the last")
        return object_array(states)


class ReplayedLunarLander(Replayed):
    """The same states by replay of their prefixes: slow, right with any build of Box2D, and the oracle."""

    def __init__(self, *, flat_terrain: bool = False) -> None:
        super().__init__(GYM_ID, build=lambda: DeterministicLunarLander(flat_terrain=flat_terrain))
        self.name = _name(flat_terrain)
        self.time_limit = TIME_LIMIT

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """The pictures of `LunarLander`."""
        scenes = []
        for state in self._check_states(states):
            with self._turn:
                self._replay(state)
                scenes.append(_scene(self._simulator, state.actions[-1] if state.actions else None))
        return drawing.stacked([drawing.lunar_lander(scene) for scene in scenes])


def lunar_lander() -> Environment:
    """Returns the fast environment, or with one warning the replayed one where the fast one fails its proof."""
    try:
        return LunarLander()
    except LayoutError as error:
        warnings.warn(
            f"{NAME}: {error}; states are replayed from their reset instead, so that a step costs as much as the "
            "whole episode before it",
            RuntimeWarning,
            stacklevel=2,
        )
        return ReplayedLunarLander()


@functools.cache
def prove() -> None:
    """Compares compiled episodes, and states put back in any order, with Gymnasium's own step.

    One episode crashes without thrust, one flies at random, one lands and comes to rest.

    Raises:
        LayoutError: if one bit differs.
    """
    rng = np.random.default_rng(0)
    pilots = (
        lambda game, observation: 0,
        lambda game, observation: int(rng.integers(4)),
        lambda game, observation: int(original.heuristic(game, observation)),
    )
    for seed, pilot in enumerate(pilots):
        game = DeterministicLunarLander()
        observation, _ = game.reset(seed=seed)
        states, actions, shown, earned = [_Flight(seed, False).start], [], [observation], []
        terminated = False
        while not terminated and len(actions) < TIME_LIMIT:
            actions.append(pilot(game, observation))
            observation, reward, terminated, _, _ = game.step(actions[-1])
            shown.append(observation)
            earned.append(np.float32(reward))
            got = np.empty(1, np.float32)
            states.append(states[-1].flight.follow(states[-1], actions[-1:], got))
            _agree(states[-1], got[0], observation, earned[-1], terminated)
        for t in rng.permutation(len(actions))[:20]:
            got = np.empty(20, np.float32)
            end = min(t + 20, len(actions))
            state = states[t].flight.follow(states[t], actions[t:end], got)
            _agree(state, got[end - t - 1], shown[end], earned[end - 1], terminated and end == len(actions))


def _agree(state: FlightState, reward: Any, observation: Any, true_reward: Any, terminated: bool) -> None:
    same = np.array_equal(state.observation, observation) and reward == true_reward
    if not same or state.terminated != terminated:
        raise LayoutError("states put back, or the compiled step, do not equal Gymnasium's here")


def _live(states: np.ndarray) -> list[int]:
    """Rows whose state is not terminal."""
    return [b for b, state in enumerate(states) if not state.terminated]


def _name(flat: bool) -> str:
    return NAME + ("-flat" if flat else "")
