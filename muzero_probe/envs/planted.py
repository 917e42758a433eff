"""Does a method find the answers that we already know?

Tiny deterministic MDPs whose rewards, returns and best plans can be computed by hand. All rewards
are exact in float32. States are int64 `[B]`, observations are one-hot float32 `[B, N]`, and every
reset starts in the same state.
"""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muzero_probe import door
from muzero_probe.envs.base import Environment, StepResult


class TabularEnvironment(Environment):
    """A deterministic MDP, given as a table of N states and A actions.

    The rows of terminal states in `transitions` and `rewards` are not used: terminal states are
    absorbing.

    Attributes:
        transitions: `[N, A]` int64, the next state; read-only.
        rewards: `[N, A]` float32; read-only.
        terminal: `[N]` bool; read-only.
        start: the state in which every episode starts.
    """

    state_dtype = np.int64
    state_shape = ()

    def __init__(
        self,
        transitions: ArrayLike,
        rewards: ArrayLike,
        terminal: ArrayLike,
        *,
        start: int = 0,
        name: str = "tabular",
        time_limit: int | None = None,
    ) -> None:
        """Checks the table and stores it, terminal rows made absorbing.

        Args:
            transitions: `[N, A]` integers in 0..N-1.
            rewards: `[N, A]`.
            terminal: `[N]` bool.
            start: a non-terminal state.
            name: of the task.
            time_limit: steps after which an episode is truncated.

        Raises:
            ValueError: if the tables do not fit together.
        """
        self.name = name
        over = np.array(terminal, np.bool_)
        following = np.array(transitions)
        paid = np.array(rewards, np.float32)
        if following.ndim != 2 or following.dtype.kind not in "iu" or following.size == 0:
            raise self._error(f"transitions must be integers [N, A], got {list(following.shape)}")
        N, A = following.shape
        if paid.shape != (N, A) or over.shape != (N,):
            raise self._error(
                f"rewards must have shape [{N}, {A}] and terminal [{N}], got {list(paid.shape)} and {list(over.shape)}"
            )
        if not np.isfinite(paid).all():
            raise self._error("rewards must be finite")
        if following.min() < 0 or following.max() >= N:
            raise self._error(f"transitions must lie in 0..{N - 1}")
        if not isinstance(start, int | np.integer) or not 0 <= start < N or over[start]:
            raise self._error(f"start must be a non-terminal state in 0..{N - 1}, got {start}")
        following[over] = np.flatnonzero(over)[:, None]
        paid[over] = 0.0
        constant = np.unique(paid[~over])
        self.transitions = following.astype(np.int64)
        self.rewards = paid
        self.terminal = over
        for table in (self.transitions, self.rewards, self.terminal):
            table.setflags(write=False)
        self.start = start
        self.num_actions = A
        self.observation_shape = (N,)
        self.time_limit = time_limit
        self.alive_reward = float(constant[0]) if len(constant) == 1 else None

    def reset(self, seeds: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns the start state, once per seed."""
        states = np.full(len(self._check_seeds(seeds)), self.start, np.int64)
        return states, self.observe(states)

    def observe(self, states: np.ndarray) -> NDArray[np.float32]:
        """Returns the states one-hot, `[B, N]`."""
        states = self._check_states(states)
        door.room("one-hot observations", 4 * len(states) * len(self.terminal))
        observations = np.zeros((len(states), len(self.terminal)), np.float32)
        observations[np.arange(len(states)), states] = 1.0
        return observations

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Looks each state and action up."""
        states = self._check_states(states)
        chosen = self._check_actions(actions, "actions", states.shape)
        following = self.transitions[states, chosen]
        return StepResult(
            following,
            self.observe(following),
            self.rewards[states, chosen],
            self.terminal[following],
        )

    def is_terminal(self, states: np.ndarray) -> NDArray[np.bool_]:
        """Looks each state up, `[B]`."""
        return self.terminal[self._check_states(states)]

    def _check_states(self, states: np.ndarray) -> np.ndarray:
        states = super()._check_states(states)
        N = len(self.terminal)
        if states.size and not (states.min() >= 0 and states.max() < N):
            raise self._error(f"states must lie in 0..{N - 1}")
        return states


def chain(length: int = 5) -> TabularEnvironment:
    """A walk to the right end: how far ahead does a method look?

    States 0..length, start 0, terminal `length`. Action 0 goes one to the left (in state 0:
    nowhere), action 1 one to the right. The step into the terminal state pays 1, all others 0. So
    the best value of state s is gamma^(length - 1 - s).

    Raises:
        ValueError: if `length` is below 1.
    """
    door.whole("length of the chain", length, 1, 1_000)  # observations are one-hot
    states = np.arange(length + 1)
    transitions = np.stack([np.maximum(states - 1, 0), np.minimum(states + 1, length)], axis=1)
    rewards = np.zeros((length + 1, 2))
    rewards[length - 1, 1] = 1.0
    return TabularEnvironment(transitions, rewards, states == length, name=f"chain-{length}")


def tree(depth: int = 3, num_actions: int = 2) -> TabularEnvironment:
    """A tree in which every plan has another return, and every inner step deceives.

    Node 0 is the root, action a leads from node k to node A k + 1 + a, and the nodes at distance
    D (the depth) are terminal. A plan a_0..a_{D-1} spells a number in base A, first digit first:

        d_k = (a_k + k) mod A                    return of the plan = sum_k d_k A^(D-1-k)

    So the returns of the A^D plans are 0, 1, ..., A^D - 1, undiscounted. An inner step pays the
    opposite of its digit, (A-1-d_k) A^(D-1-k), and the last step pays the rest. So plans of one
    shorter length differ in their returns, too, and who looks less than D steps ahead finds the
    worst plan best.

    With D = 3 and A = 2 the best plan is 1, 0, 1: it pays 0, 0, 7. The worst is 0, 1, 0: it pays
    4, 2, -6.

    Raises:
        ValueError: if `depth` is below 1 or `num_actions` below 2.
    """
    door.whole("depth of the tree", depth, 1, 20)
    door.whole("num_actions of the tree", num_actions, 2, 1_000)
    A, D = num_actions, depth
    N = door.whole(f"number of nodes of a tree of depth {D} and {A} actions", (A ** (D + 1) - 1) // (A - 1), 1)
    transitions = np.minimum(A * np.arange(N)[:, None] + 1 + np.arange(A), N - 1)
    rewards = np.zeros((N, A))
    for plan in itertools.product(range(A), repeat=D):
        node, paid = 0, 0
        digits = [(action + k) % A for k, action in enumerate(plan)]
        total = sum(digit * A ** (D - 1 - k) for k, digit in enumerate(digits))
        for k, (action, digit) in enumerate(zip(plan, digits, strict=True)):
            reward = (A - 1 - digit) * A ** (D - 1 - k) if k < D - 1 else total - paid
            rewards[node, action] = reward
            paid += reward
            node = transitions[node, action]
    terminal = np.arange(N) >= N - A**D
    return TabularEnvironment(transitions, rewards, terminal, name=f"tree-{D}x{A}")


def bandit(rewards: tuple[float, ...] = (1.0, 0.0, 2.0)) -> TabularEnvironment:
    """One step, then the end: arm a pays `rewards[a]`.

    State 0 is the start, state 1 is terminal. Each number should be exact in float32.

    Raises:
        ValueError: if there is no arm.
    """
    A = len(rewards)
    if A == 0:
        raise ValueError("bandit: rewards must name at least one arm")
    table = np.array([rewards, [0.0] * A])
    return TabularEnvironment(np.ones((2, A), int), table, [False, True], name=f"bandit-{A}")
