"""What is T(s, a) in any deterministic Gymnasium environment, asked of its public face alone?

A state is the seed of a reset and the actions taken since: to be in it again, reset and take them
again. That is slow (a step costs as much as its whole episode so far) and always right: the oracle
for the environments that restore states in other ways.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from muzero_probe.envs import drawing
from muzero_probe.envs.base import Environment, StepResult, object_array

PROOF_STEPS = 20  # of an episode that shows whether an environment repeats itself
WITNESS_EVERY = 13  # steps: what one of so many showed is held against later replays; a prime, no number of rows
WITNESSES = 256  # that are kept, the latest


@dataclass(frozen=True)
class Prefix:
    """One state: where the episode started and what was done since.

    Attributes:
        seed: of the reset.
        actions: taken since, each in 0..A-1.
    """

    seed: int
    actions: tuple[int, ...]


class Replayed(Environment):
    """Any deterministic Gymnasium environment with discrete actions, by replay from the reset.

    States are object arrays `[B]` of `Prefix`. The time limit of the task is taken off the
    simulator and reported as `time_limit`. One simulator stands behind all rows: threads take turns.
    """

    def __init__(
        self,
        gym_id: str,
        *,
        build: Callable[[], gymnasium.Env[Any, Any]] | None = None,
        time_limit: int | None = None,
    ) -> None:
        """Builds the simulator.

        Args:
            gym_id: the registered environment, such as `"CartPole-v1"`.
            build: builds the simulator in place of `gymnasium.make(gym_id)`, without a time limit;
                `gym_id` then only names it.
            time_limit: steps after which an episode is truncated; None for the registered number.

        Raises:
            ValueError: if there is no such environment, if its actions are not discrete, if its
                observations are not one array, or if it does not reproduce itself from a seed. The last is looked
                at again while it is used: any method may find it.
        """
        self.name = f"replayed:{gym_id}"
        if build is None:
            try:
                spec = gymnasium.spec(gym_id)
                simulator = gymnasium.make(gym_id, max_episode_steps=-1, disable_env_checker=True)
            except gymnasium.error.Error as error:
                raise self._error(f"Gymnasium cannot make it: {error}") from error
        else:
            simulator = build()
            spec = simulator.spec
        if not isinstance(simulator.action_space, gymnasium.spaces.Discrete):
            raise self._error(f"actions must be discrete, got {type(simulator.action_space).__name__}")
        if simulator.observation_space.shape is None:
            raise self._error(f"observations must be one array, got {type(simulator.observation_space).__name__}")
        if spec is not None and spec.nondeterministic:
            raise self._error("it is registered as nondeterministic, a replay needs determinism")
        self.num_actions = int(simulator.action_space.n)
        self.observation_shape = simulator.observation_space.shape
        if time_limit is not None and time_limit < 1:
            raise self._error(f"time_limit is {time_limit}, at least 1 is needed")
        self.time_limit = time_limit or (None if spec is None else spec.max_episode_steps)
        self._first_action = int(simulator.action_space.start)
        self._simulator = simulator
        self._gym_id = None if build else gym_id
        self._screen: Replayed | None = None  # the same task, whose simulator draws
        self._turn = threading.RLock()
        self._witnessed: dict[Prefix, tuple[np.ndarray, bool]] = {}
        self._steps = 0
        self._prove()

    def reset(self, seeds: ArrayLike) -> tuple[np.ndarray, NDArray[np.float32]]:
        """Returns one empty prefix per seed, and what each reset shows."""
        states = object_array([Prefix(seed, ()) for seed in self._check_seeds(seeds)])
        return states, self.observe(states)

    def observe(self, states: np.ndarray) -> NDArray[np.float32]:
        """Replays each prefix and returns its last observation, `[B, *obs]`."""
        observations = np.empty((len(self._check_states(states)), *self.observation_shape), np.float32)
        for b, state in enumerate(states):
            observations[b], _ = self._replay(state)
        return observations

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Replays each prefix, then takes its action; a terminal prefix stays as it is."""
        states = self._check_states(states)
        (B,) = states.shape
        chosen = self._check_actions(actions, "actions", (B,))
        successors = states.copy()
        observations = np.empty((B, *self.observation_shape), np.float32)
        rewards = np.zeros(B, np.float32)
        terminated = np.empty(B, np.bool_)
        for b, (state, action) in enumerate(zip(states, chosen.tolist(), strict=True)):
            with self._turn:
                observations[b], terminated[b] = self._replay(state)
                if not terminated[b]:
                    successors[b] = Prefix(state.seed, (*state.actions, action))
                    observations[b], rewards[b], terminated[b] = self._act(action)
                    self._witness(successors[b], observations[b], terminated[b])
        return StepResult(successors, observations, rewards, terminated)

    def rollout(self, states: np.ndarray, plans: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Replays each prefix once and follows its plan."""
        states = self._check_states(states)
        chosen = self._check_actions(plans, "plans", (len(states), None))
        rewards = np.zeros(chosen.shape, np.float32)
        alive = np.zeros(chosen.shape, np.bool_)
        for b, (state, plan) in enumerate(zip(states, chosen.tolist(), strict=True)):
            with self._turn:
                _, terminated = self._replay(state)
                for t, action in enumerate(plan):
                    if terminated:
                        break
                    alive[b, t] = True
                    _, rewards[b, t], terminated = self._act(action)
        return rewards, alive

    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Replays each prefix and returns whether it ends in a termination, `[B]`."""
        ends = [self._replay(state)[1] for state in self._check_states(states)]
        return np.array(ends, np.bool_)

    def render(self, states: np.ndarray) -> NDArray[np.uint8]:
        """Replays each prefix and returns the simulator's own pictures, `[B, height, width, 3]`.

        They are those of a second simulator, unless the first one was built with pictures: it may compute more.
        """
        states = self._check_states(states)
        if self._simulator.render_mode != "rgb_array":
            self._screen = self._screen or self._with_pictures()
            return self._screen.render(states)
        pictures = []
        for state in states:
            with self._turn:
                self._replay(state)
                try:
                    pictures.append(np.array(self._simulator.render(), np.uint8))
                except gymnasium.error.DependencyNotInstalled as error:
                    raise ImportError(f"{self.name}: {error}") from error
        return drawing.stacked(pictures)

    def _with_pictures(self) -> "Replayed":
        gym_id = self._gym_id
        if gym_id is None or "rgb_array" not in self._simulator.metadata.get("render_modes", ()):
            raise self._error("there are no pictures of this environment: its simulator has no mode rgb_array")
        options: dict[str, Any] = {"max_episode_steps": -1, "disable_env_checker": True, "render_mode": "rgb_array"}
        return Replayed(gym_id, build=lambda: gymnasium.make(gym_id, **options))

    def _prove(self) -> None:
        """Refuses what does not repeat itself: two episodes, each played twice, the other one between."""
        plans = {seed: np.random.default_rng(seed).integers(self.num_actions, size=PROOF_STEPS) for seed in (0, 1)}
        first = {seed: self._played(seed, plan) for seed, plan in plans.items()}
        for seed, plan in plans.items():
            for t, (was, now) in enumerate(zip(first[seed], self._played(seed, plan), strict=False)):
                for what, a, b in zip(("observation", "reward", "end"), was, now, strict=True):
                    if not np.array_equal(a, b, equal_nan=what != "end"):
                        raise self._error(
                            f"it does not repeat itself, which a replay needs: seed {seed} and the same {t} actions "
                            f"gave another {what} the second time"
                        )

    def _played(self, seed: int, plan: np.ndarray) -> list[tuple[np.ndarray, float, bool]]:
        """Returns what a reset and every action of a plan show, to a termination."""
        with self._turn:
            observation, _ = self._simulator.reset(seed=seed)
            seen = [(np.array(observation), 0.0, False)]
            for action in plan.tolist():
                if seen[-1][2]:
                    break
                observation, reward, terminated = self._act(action)
                seen.append((np.array(observation), reward, terminated))
            return seen

    def _replay(self, state: Prefix) -> tuple[Any, bool]:
        """Brings the simulator into the state; returns its observation and if it is terminal."""
        with self._turn:
            observation, _ = self._simulator.reset(seed=state.seed)
            terminated = False
            for action in state.actions:
                if terminated:
                    break
                observation, _, terminated = self._act(action)
            if (seen := self._witnessed.get(state)) is not None:
                shown = np.asarray(observation, np.float32)
                if not np.array_equal(shown, seen[0], equal_nan=True) or terminated != seen[1]:
                    raise self._error(
                        f"it does not repeat itself, which a replay needs: seed {state.seed} and the same "
                        f"{len(state.actions)} actions led elsewhere later on"
                    )
            return observation, terminated

    def _witness(self, state: Prefix, observation: np.ndarray, terminated: bool) -> None:
        """Keeps now and then what a step showed."""
        self._steps += 1
        if self._steps % WITNESS_EVERY == 0:
            if len(self._witnessed) >= WITNESSES:
                del self._witnessed[next(iter(self._witnessed))]
            self._witnessed[state] = observation.copy(), bool(terminated)

    def _act(self, action: int) -> tuple[Any, float, bool]:
        observation, reward, terminated, truncated, _ = self._simulator.step(self._first_action + action)
        if truncated and not terminated:
            raise self._error("the simulator ended an episode by a time limit of its own, build it without one")
        return observation, float(reward), bool(terminated)

    def _check_states(self, states: np.ndarray) -> np.ndarray:
        return self._check_objects(states, Prefix)

    def _pack(self, states: np.ndarray) -> bytes:
        return json.dumps([[state.seed, state.actions] for state in states]).encode()

    def _unpack(self, payload: bytes, rows: int) -> np.ndarray:
        entries = json.loads(payload)
        if not isinstance(entries, list) or len(entries) != rows:
            raise ValueError(f"not the prefixes of {rows} rows")
        entries = [(seed, tuple(actions)) for seed, actions in entries]
        for seed, actions in entries:
            self._check_seeds([seed])
            self._check_actions(actions, "actions", (None,))
        return object_array([Prefix(seed, actions) for seed, actions in entries])
