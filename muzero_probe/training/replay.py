"""Prioritized replay of S agents with E environments each (Schaul et al. 2016; MuZero, appendix G).

All streams advance together: one position ("slot") per environment and acting step, in rings of C slots. The
final state of an episode that a time limit cut takes a slot of its own, which has a search value but no
action. A position can be drawn once everything that its targets need is in the ring, n + K slots later;
drawing probability ~ priority^alpha with priority = |search value - n-step return|.
"""

import math
from typing import NamedTuple

import numpy as np

from muzero_probe import door, threads
from muzero_probe.compiled import jit
from muzero_probe.config import TrainingConfig
from muzero_probe.exact.elementary import power, power_of_each
from muzero_probe.targets import n_step_return
from muzero_probe.training.batch import Batch
from muzero_probe.training.frames import Frames

MOST_ROOM = 2**40  # bytes of all rings
PRIORITY_FLOOR = 1e-3  # a perfectly predicted position can still be drawn


class Ring(NamedTuple):
    """What replay holds of one seed, beside its observations."""

    actions: np.ndarray  # [E, C] int64
    rewards: np.ndarray  # [E, C]
    terminated: np.ndarray  # [E, C] bool, whether the action taken there ended the episode
    final: np.ndarray  # [E, C] bool, whether it is the state at which a time limit cut its episode
    policies: np.ndarray  # [E, C, A]
    values: np.ndarray  # [E, C]
    weights: np.ndarray  # [E, C] priority^alpha


FIELDS = Ring._fields


class Drawn(NamedTuple):
    """Positions of one seed to train on."""

    positions: np.ndarray  # [U, B] flat index into E x C
    importance: np.ndarray  # [U, B]
    absorbing_actions: np.ndarray  # [U, K, B], taken behind terminations


class Rule(NamedTuple):
    """How targets are made."""

    n_step: int
    discount: float
    value_weight: float
    priority_alpha: float


class Replay:
    """Rings of positions [S, E, C] and their priorities."""

    def __init__(
        self,
        config: TrainingConfig,
        *,
        seeds: int,
        observation_shape: tuple[int, ...],
        num_actions: int,
        discount: float,
        observation_dtype: type = np.float32,
        screens: int = 1,
    ) -> None:
        """Allocates empty rings; `screens` are those of an observation, see `frames`.

        Raises:
            ValueError: if the rings are too short for what a position's targets and observation need.
        """
        self.config = door.instance("config", config, TrainingConfig)
        door.whole("seeds", seeds, 1)
        door.whole("num_actions", num_actions, 1)
        self.discount = door.discount(discount)
        self.num_actions = num_actions
        self.written = 0  # slots written to every ring so far
        shape = (seeds, config.environments, config.replay_slots)
        if config.replay_slots < self.lag + screens:
            raise ValueError(
                f"training.replay_slots is {config.replay_slots}, at least {self.lag + screens} are needed here"
            )
        of_slot = np.dtype(observation_dtype).itemsize * math.prod(observation_shape) // screens + 4 * num_actions + 27
        door.room(f"replay of {seeds} seeds", math.prod(shape) * of_slot, MOST_ROOM)
        self.frames = Frames(shape, observation_shape, observation_dtype, screens)
        self.actions = np.zeros(shape, np.int64)
        self.rewards = np.zeros(shape, np.float32)
        self.terminated = np.zeros(shape, np.bool_)
        self.final = np.zeros(shape, np.bool_)
        self.policies = np.zeros((*shape, num_actions), np.float32)
        self.values = np.zeros(shape, np.float32)
        self.weights = np.zeros(shape)  # priority^alpha; 0 where a position cannot be drawn
        self.unsound: set[int] = set()  # indices of seeds whose priorities were not finite when they were drawn from

    @property
    def lag(self) -> int:
        """Slots that must follow a position before it can be drawn."""
        return self.config.n_step + self.config.unroll_steps

    def add(
        self,
        *,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminated: np.ndarray,
        final: np.ndarray,
        policies: np.ndarray,
        values: np.ndarray,
    ) -> None:
        """Writes one slot to every ring, each argument [S, E, ...]; older positions become drawable.

        Raises:
            TypeError: if an argument is of another kind.
            ValueError: if it is of another shape, or an action is none. Numbers may be not finite.
        """
        shape = self.actions.shape[:2]
        door.array("actions", actions, shape, door.INTEGERS, low=0, high=self.num_actions - 1)
        door.array("observations", observations, (*shape, *self.frames.observation_shape), "fiub", finite=False)
        door.array("policies", policies, (*shape, self.num_actions), finite=False)
        door.array("rewards", rewards, shape, finite=False)
        door.array("values", values, shape, finite=False)
        door.array("terminated", terminated, shape, door.BOOLEANS)
        door.array("final", final, shape, door.BOOLEANS)
        at = self.written % self.config.replay_slots
        self.frames.write(self.written, observations)
        self.actions[:, :, at] = actions
        self.rewards[:, :, at] = rewards
        self.terminated[:, :, at] = terminated
        self.final[:, :, at] = final
        self.policies[:, :, at] = policies
        self.values[:, :, at] = values
        self.weights[:, :, at] = 0.0
        for index, invalidated in self.frames.invalidated(self.written):
            self.weights[:, :, index][invalidated] = 0.0
        self.written += 1
        drawable = self.written - 1 - self.lag
        if drawable >= 0:
            _set_weight_of_slot(
                self.rewards, self.values, self.terminated, self.final, drawable, self.config.n_step, self.discount,
                self.config.priority_alpha, self.weights,
            )  # fmt: skip

    def sample(self, rngs: list[np.random.Generator], updates: int, beta: float) -> tuple[np.ndarray, np.ndarray]:
        """Draws positions and their importance weights.

        Args:
            rngs: one stream per seed.
            updates: U.
            beta: exponent of the importance weights.

        Returns:
            positions [S, U, B] int64, flat index into E x C; weights (N P)^-beta [S, U, B] float32, divided
            by the largest of each update's batch.

        Raises:
            ValueError: if streams are not as many as seeds, a number lies out of range, or nothing can be drawn.
        """
        S = door.whole("number of streams", len(rngs), len(self.weights), len(self.weights))
        door.whole("updates", updates, 1)
        door.number("beta", beta, 0, 1)
        shape = (updates, self.config.batch_size)
        positions = np.empty((S, *shape), np.int64)
        importance = np.empty((S, *shape), np.float32)

        def draw(s: int) -> None:
            weights = self.weights[s].ravel()
            cumulative = np.empty(weights.size)
            count, last = _accumulate(weights, cumulative)
            if not count:
                raise ValueError(f"no position can be drawn: {self.written} slots are written")
            if not np.isfinite(cumulative[-1]):  # the seed is lost; others, and memory, must not notice
                self.unsound.add(s)
                weights = (weights != 0).astype(np.float64)
                count, last = _accumulate(weights, cumulative)
            found = np.searchsorted(cumulative, rngs[s].random(shape) * cumulative[-1], side="right")
            # rounding at the upper end may point behind the last position that can be drawn
            positions[s] = np.minimum(found, last)
            probability = weights[positions[s]] / cumulative[-1]
            correction = power_of_each(count * probability, -beta)
            importance[s] = correction / correction.max(-1, keepdims=True)

        threads.run([lambda s=s: draw(s) for s in range(S)])
        return positions, importance

    def bootstraps(self, positions: np.ndarray) -> np.ndarray:
        """Returns the flat positions [...] whose search value bootstraps the given [S, ...], -1 where none does."""
        S = len(self.actions)
        door.array("positions", positions, (S, *positions.shape[1:]), door.INTEGERS, low=0, high=self._last)
        found = np.empty(positions.shape, np.int64)
        for s in range(S):
            _bootstraps(self.terminated[s], self.final[s], positions[s].ravel(), self.config.n_step, found[s].ravel())
        return found

    def batch(self, positions: np.ndarray, importance: np.ndarray, absorbing_actions: np.ndarray) -> Batch:
        """Builds targets for drawn positions and renews the positions' priorities.

        Args:
            positions: [S, U, B]. importance: [S, U, B].
            absorbing_actions: [S, U, K, B] random actions, used behind terminations.

        Raises:
            ValueError: if shapes differ, or positions or actions lie out of range.
        """
        K = self.config.unroll_steps
        A = self.num_actions
        door.array("positions", positions, (len(self.actions), "U", "B"), door.INTEGERS, low=0, high=self._last)
        S, U, B = positions.shape
        door.array("importance", importance, (S, U, B), door.REALS, finite=False)
        door.array("absorbing_actions", absorbing_actions, (S, U, K, B), door.INTEGERS, low=0, high=A - 1)
        out = Batch(
            observations=np.empty((U, S, B, *self.frames.observation_shape), self.frames.newest.dtype),
            actions=np.empty((U, S, K, B), np.int64),
            rewards=np.empty((U, S, K, B), np.float32),
            values=np.empty((U, S, K + 1, B), np.float32),
            policies=np.empty((U, S, K + 1, B, A), np.float32),
            reward_weights=np.empty((U, S, K, B), np.float32),
            value_weights=np.empty((U, S, K + 1, B), np.float32),
            policy_weights=np.empty((U, S, K + 1, B), np.float32),
        )
        t = self.config
        rule = Rule(t.n_step, self.discount, t.value_weight, t.priority_alpha)

        def fill(s: int) -> None:
            out.observations[:, s] = self.observations(np.array(s), positions[s])
            ring = Ring(*(getattr(self, name)[s] for name in FIELDS))
            drawn = Drawn(positions[s], importance[s], absorbing_actions[s])
            _targets(ring, drawn, rule, Batch(*(field[:, s] for field in out)))

        threads.run([lambda s=s: fill(s) for s in range(S)])
        return out

    @property
    def _last(self) -> int:
        """The largest flat index into E x C."""
        return self.config.environments * self.config.replay_slots - 1

    def _places(self, seeds: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the index into S x E x C of positions, given by seed [M] and flat index [M]."""
        door.array("seeds", seeds, seeds.shape, door.INTEGERS, low=0, high=len(self.actions) - 1)
        door.array("positions", positions, positions.shape, door.INTEGERS, low=0, high=self._last)
        return (seeds, *np.divmod(positions, self.config.replay_slots))

    def observations(self, seeds: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Returns what was observed at M positions, by seed and flat index [M]: [M, *observation shape]."""
        return self.frames.read(*self._places(seeds, positions))

    def renew(self, seeds: np.ndarray, positions: np.ndarray, policies: np.ndarray, values: np.ndarray) -> None:
        """Replaces search policy [M, A] and value [M] of M positions, given by seed [M] and flat index [M]."""
        self.policies[self._places(seeds, positions)] = policies
        self.revalue(seeds, positions, values)

    def revalue(self, seeds: np.ndarray, positions: np.ndarray, values: np.ndarray) -> None:
        """Replaces the values [M] of M positions, given by seed [M] and flat index [M]."""
        self.values[self._places(seeds, positions)] = values

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns the rings up to the newest slot and the write position."""
        used = min(self.written, self.config.replay_slots)
        return {**{name: ring[:, :, :used] for name, ring in self._rings().items()}, "written": np.array(self.written)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restores `state_dict`'s result; a seed's numbers may be not finite.

        Raises:
            KeyError: if something is missing.
            TypeError: if something is of another kind.
            ValueError: if it does not fit these rings, or could not have been written to them.
        """
        written = door.scalar("written", state["written"], 0, 2**62)
        used = min(written, self.config.replay_slots)
        rings = self._rings()
        if odd := sorted(state.keys() ^ rings.keys() ^ {"written"}):
            raise ValueError(f"replay: {', '.join(odd)} unknown or missing")
        highest = {"actions": self.num_actions - 1, "reach": self.frames.screens - 1}
        for name, ring in rings.items():
            shape = (*ring.shape[:2], used, *ring.shape[3:])
            low, high = (0, highest[name]) if name in highest else (None, None)
            door.same(name, state[name], ring.dtype, shape, low=low, high=high, finite=False)
        self._check_written(written, state)
        self.written = written
        for name, ring in rings.items():
            ring[:, :, :used] = state[name]

    def _check_written(self, written: int, state: dict[str, np.ndarray]) -> None:
        """Refuses policies that are no distributions, and weights of what cannot be drawn."""
        if (state["policies"] < 0).any() or (np.abs(state["policies"].sum(-1) - 1) > door.UNEVEN).any():
            raise ValueError("policies must be 0 or more and sum to 1")
        weights = state["weights"]
        recent = np.arange(max(0, written - self.lag), written) % self.config.replay_slots
        if (weights < 0).any() or weights[state["final"]].any() or weights[:, :, recent].any():
            raise ValueError("weights must be 0 or more, and 0 where a position cannot be drawn")
        if written > self.lag and not (weights != 0).any((1, 2)).all():
            raise ValueError("weights are 0 at all positions of a seed, none could be drawn")

    def _rings(self) -> dict[str, np.ndarray]:
        rings = {"observations": self.frames.newest, **{name: getattr(self, name) for name in FIELDS}}
        return rings | ({"reach": self.frames.reach} if self.frames.screens > 1 else {})


@jit
def _accumulate(weights, cumulative):
    """Writes running sums; returns how many weights are not 0, and the index of the last of them."""
    total = 0.0
    count = 0
    last = -1
    for i in range(weights.size):
        if weights[i] != 0:
            total += weights[i]
            count += 1
            last = i
        cumulative[i] = total
    return count, last


@jit
def _priority_weight(value, target, alpha):
    return power(max(abs(value - target), PRIORITY_FLOOR), alpha)


@jit
def _set_weight_of_slot(rewards, values, terminated, final, slot, n, discount, alpha, weights):
    S, E, C = rewards.shape
    i = slot % C
    for s in range(S):
        for e in range(E):
            if not final[s, e, i]:
                target = n_step_return(rewards[s, e], values[s, e], terminated[s, e], final[s, e], slot, n, discount)
                weights[s, e, i] = _priority_weight(values[s, e, i], target, alpha)


@jit
def _bootstraps(terminated, final, positions, n, found):
    C = terminated.shape[1]
    for b in range(positions.size):
        e, start = positions[b] // C, positions[b] % C
        found[b] = e * C + (start + n) % C
        for k in range(n):
            i = (start + k) % C
            if final[e, i]:
                found[b] = e * C + i
                break
            if terminated[e, i]:
                found[b] = -1
                break


@jit
def _targets(ring, drawn, rule, out):
    """Fills one seed's targets, [U, ...] of every field of `Batch` but the observations.

    A row unrolls through `alive` states; behind a termination it is absorbing (reward and value 0, policy
    not trained), behind a time limit nothing is trained.
    """
    _, C = ring.rewards.shape
    U, B = drawn.positions.shape
    K = drawn.absorbing_actions.shape[1]
    A = ring.policies.shape[2]
    for u in range(U):
        for b in range(B):
            e, start = drawn.positions[u, b] // C, drawn.positions[u, b] % C
            weight = drawn.importance[u, b] / B
            absorbed = False
            cut = False
            for k in range(K + 1):
                i = (start + k) % C
                at_limit = not absorbed and not cut and ring.final[e, i]
                scale = weight if k == 0 else weight / K
                if absorbed or cut or at_limit:
                    out.values[u, k, b] = 0.0
                    out.policies[u, k, b, :] = 0.0
                    out.value_weights[u, k, b] = scale * rule.value_weight if absorbed else 0.0
                    out.policy_weights[u, k, b] = 0.0
                else:
                    out.values[u, k, b] = n_step_return(
                        ring.rewards[e], ring.values[e], ring.terminated[e], ring.final[e], start + k,
                        rule.n_step, rule.discount,
                    )  # fmt: skip
                    for a in range(A):
                        out.policies[u, k, b, a] = ring.policies[e, i, a]
                    out.value_weights[u, k, b] = scale * rule.value_weight
                    out.policy_weights[u, k, b] = scale
                cut = cut or at_limit
                if k == K:
                    break
                if absorbed or cut:
                    out.actions[u, k, b] = drawn.absorbing_actions[u, k, b]
                    out.rewards[u, k, b] = 0.0
                    out.reward_weights[u, k, b] = weight / K if absorbed else 0.0
                else:
                    out.actions[u, k, b] = ring.actions[e, i]
                    out.rewards[u, k, b] = ring.rewards[e, i]
                    out.reward_weights[u, k, b] = weight / K
                    absorbed = ring.terminated[e, i]
            ring.weights[e, start] = _priority_weight(ring.values[e, start], out.values[u, 0, b], rule.priority_alpha)
