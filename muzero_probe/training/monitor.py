"""What do agents do while they act? Sums over the decisions since the last metrics, and the rates that come of them.

Nothing that is trained depends on it, and it draws from no random stream. A decision is a search with an action behind
it: the final state of an episode that a time limit cut has none.

**Explained variance.** What f says of a state when an agent stands there, before the state can be trained on, is held
against the return that the agent then meets in the same episode:

    G_t = sum_{k<m} gamma^k r_{t+k}                        if the m-th action from t terminates the episode
    G_t = sum_{k<m} gamma^k r_{t+k} + gamma^m nu_{t+m}     if a time limit cuts it at s_{t+m}
    explained = 1 - Var(G - v) / Var(G)

An episode counts when it ends; of one that is cut, only the states with gamma^m <= KNOWN: of later ones the agent says
itself what they are worth. At most PLACES of its states are followed, those at multiples of a stride that doubles
when the places are full; a state weighs as many decisions as the stride has, so that every decision weighs the same.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.compiled import jit
from muzero_probe.exact.elementary import exp, log
from muzero_probe.training.replay import Replay

PLACES = 16  # states of a running episode whose return is awaited
KNOWN = 0.5  # weight of what a time limit leaves to come, at most
FORESEEN = 0.5  # share of a reward that the model must predict
EVEN = 1e-9  # variance of returns, in squares of their mean, below which they are all alike


class Decided(NamedTuple):
    """One search and one step of R = S x E environments."""

    lengths: np.ndarray  # [R] int64, decisions of the running episode before this one
    final: np.ndarray  # [R] bool, whether a time limit cut the episode here: no decision
    terminated: np.ndarray  # [R] bool
    actions: np.ndarray  # [R] int64
    rewards: np.ndarray  # [R] float32
    returns: np.ndarray  # [R] undiscounted rewards of the running episode, this one included
    in_play: np.ndarray  # [R] bool; empty where the environment does not say
    visits: np.ndarray  # [R, A] the search's policy at T = 1
    values: np.ndarray  # [R] of the search
    prior_logits: np.ndarray  # [R, A] of the model at the root, as what follows
    net_values: np.ndarray  # [R]
    net_rewards: np.ndarray  # [R, A] not a number where an action was not tried


class Awaited(NamedTuple):
    """The states of running episodes whose returns are awaited; in use are the first places, see `_stride`."""

    predicted: np.ndarray  # [R, PLACES] value that f gave
    met: np.ndarray  # [R, PLACES] discounted rewards since then
    factors: np.ndarray  # [R, PLACES] gamma^k of the next reward


class Sums(NamedTuple):
    """Of one seed each, [S]; `taken` [S, A]."""

    taken: np.ndarray  # decisions by action
    in_play: np.ndarray  # decisions with the ball in play
    prior_entropy: np.ndarray  # nats
    search_entropy: np.ndarray  # nats
    overruled: np.ndarray  # decisions where the search does not visit the prior's favourite most
    rewarded: np.ndarray  # decisions with a reward other than 0
    foreseen: np.ndarray  # of these, with a predicted reward of at least FORESEEN of it
    terminations: np.ndarray  # episodes that terminated
    idle: np.ndarray  # episodes that a time limit cut at a return of 0
    states: np.ndarray  # whose returns became known
    weight: np.ndarray  # of these, as of all sums below
    met: np.ndarray  # G
    met_squares: np.ndarray
    errors: np.ndarray  # G - v
    error_squares: np.ndarray


class Monitor:
    """Counts what S seeds with E environments each do."""

    def __init__(self, *, seeds: int, environments: int, num_actions: int, discount: float) -> None:
        """Starts with nothing seen."""
        self.environments = environments
        self.discount = discount
        self.awaited = Awaited(*(np.zeros((seeds * environments, PLACES)) for _ in Awaited._fields))
        self._says_in_play = False
        self._shape = (seeds, num_actions)
        self._sums = self._zeros()

    def add(self, decided: Decided) -> None:
        """Counts one search and step of all environments."""
        self._says_in_play = bool(decided.in_play.size)
        _count(decided, self.environments, self._sums)
        _follow(decided, self.environments, self.discount, self.awaited, self._sums)

    def pop(self, replay: Replay) -> dict[str, np.ndarray]:
        """Returns what happened since the last call, [S] each and not a number where nothing did; and replay's state.

        Their meaning is that of docs/tuning.md, Metrics.
        """
        sums, self._sums = self._sums, self._zeros()
        decisions = sums.taken.sum(1)
        level = _ratio(sums.met, sums.weight)
        variance = _variance(sums.met, sums.met_squares, sums.weight)
        unexplained = _variance(sums.errors, sums.error_squares, sums.weight)
        in_play = sums.in_play if self._says_in_play else np.full(len(decisions), np.nan)
        varied = np.where(variance > EVEN * level**2, variance, 0.0)
        return {
            "action_share": _ratio(sums.taken.max(1), decisions),
            "in_play_share": _ratio(in_play, decisions),
            "prior_entropy": _ratio(sums.prior_entropy, decisions),
            "search_entropy": _ratio(sums.search_entropy, decisions),
            "disagreement": _ratio(sums.overruled, decisions),
            "rewarded": sums.rewarded,
            "reward_recall": _ratio(sums.foreseen, sums.rewarded),
            "terminations": sums.terminations,
            "idle_episodes": sums.idle,
            "return_states": sums.states,
            "return_level": level,
            "return_spread": np.sqrt(variance),
            "return_explained": 1 - _ratio(unexplained, varied),
            **_of_replay(replay),
        }

    def _zeros(self) -> Sums:
        S, A = self._shape
        return Sums(np.zeros((S, A)), *(np.zeros(S) for _ in Sums._fields[1:]))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns what a run that goes on right behind a set of metrics needs."""
        return {name: array.copy() for name, array in self.awaited._asdict().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restores `state_dict`'s result.

        Raises:
            KeyError: if something is missing.
            TypeError: if something is of another kind.
            ValueError: if it does not fit the environments, or is not finite.
        """
        for name, array in self.awaited._asdict().items():
            low, high = (0, 1) if name == "factors" else (None, None)
            array[:] = door.same(name, state[name], np.float64, array.shape, low=low, high=high)
        self._sums = self._zeros()


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Not a number where nothing was counted."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator != 0)


def _variance(total: np.ndarray, squares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.maximum(_ratio(squares, weight) - _ratio(total, weight) ** 2, 0.0)


def _of_replay(replay: Replay) -> dict[str, np.ndarray]:
    used = min(replay.written, replay.config.replay_slots)
    E = replay.config.environments
    ends = np.array([np.count_nonzero(of_seed[:, :used]) for of_seed in replay.terminated])
    effective = np.array([_effective(of_seed.ravel()) for of_seed in replay.weights])
    return {"replay_terminations": ends / (E * max(used, 1)), "replay_effective": effective}


@jit
def _effective(weights):
    """Kish's effective share of what can be drawn: (sum w)^2 / (n sum w^2); not a number where nothing can."""
    total = 0.0
    squares = 0.0
    count = 0
    for w in weights:
        if w != 0:
            total += w
            squares += w * w
            count += 1
    return total * total / (count * squares)


@jit
def _entropy(policy):
    total = 0.0
    for p in policy:
        if p > 0:
            total -= p * log(p)
    return total


@jit
def _softmax(logits, out):
    top = logits[0]
    for a in range(logits.size):
        top = max(top, logits[a])
    total = 0.0
    for a in range(logits.size):
        out[a] = exp(np.float64(logits[a]) - np.float64(top))
        total += out[a]
    for a in range(logits.size):
        out[a] /= total


@jit
def _count(decided, environments, sums):
    R, A = decided.visits.shape
    prior = np.empty(A)
    for b in range(R):
        s = b // environments
        if decided.final[b]:
            if decided.returns[b] == 0:
                sums.idle[s] += 1
            continue
        visits = decided.visits[b]
        sums.taken[s, decided.actions[b]] += 1
        if decided.in_play.size and decided.in_play[b]:
            sums.in_play[s] += 1
        _softmax(decided.prior_logits[b], prior)
        sums.prior_entropy[s] += _entropy(prior)
        sums.search_entropy[s] += _entropy(visits)
        if visits[prior.argmax()] < visits.max():
            sums.overruled[s] += 1
        reward = np.float64(decided.rewards[b])
        if reward != 0:
            sums.rewarded[s] += 1
            if decided.net_rewards[b, decided.actions[b]] / reward >= FORESEEN:
                sums.foreseen[s] += 1
        if decided.terminated[b]:
            sums.terminations[s] += 1


@jit
def _stride(decisions):
    """Decisions from one followed state of an episode to the next: the least power of 2 for which PLACES suffice."""
    stride = 1
    while (decisions + stride - 1) // stride > PLACES:
        stride *= 2
    return stride


@jit
def _follow(decided, environments, discount, awaited, sums):
    """Notes the states where agents stand, adds the rewards that they met, and settles the episodes that ended."""
    for b in range(decided.lengths.size):
        s = b // environments
        predicted, met, factors = awaited.predicted[b], awaited.met[b], awaited.factors[b]
        before = decided.lengths[b]
        stride = _stride(before)
        if decided.final[b]:
            reward = _finite(decided.values[b])  # what a cut leaves to come
        else:
            reward = np.float64(decided.rewards[b])
            if _stride(before + 1) > stride:
                stride *= 2
                for j in range(PLACES // 2):
                    predicted[j], met[j], factors[j] = predicted[2 * j], met[2 * j], factors[2 * j]
            if before % stride == 0:
                j = before // stride
                predicted[j], met[j], factors[j] = _finite(decided.net_values[b]), 0.0, 1.0
            before += 1
        used = (before + stride - 1) // stride
        for j in range(used):
            met[j] += factors[j] * reward
            factors[j] *= discount
        if decided.final[b] or decided.terminated[b]:
            for j in range(used):
                if decided.final[b] and factors[j] > KNOWN * discount:  # the value that was added has moved it on
                    continue
                error = met[j] - predicted[j]
                sums.states[s] += 1
                sums.weight[s] += stride
                sums.met[s] += stride * met[j]
                sums.met_squares[s] += stride * met[j] * met[j]
                sums.errors[s] += stride * error
                sums.error_squares[s] += stride * error * error


@jit
def _finite(value):
    """A seed that has diverged is given up; what it says must not spoil the state of the others."""
    return np.float64(value) if np.isfinite(value) else 0.0
