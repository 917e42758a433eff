"""How wrong are the learned model's reward sums along the action sequences of a policy?

    v     = sum_{k<h} gamma^k r_{t+k}                              real rewards along a_{t:t+h-1}      (eq 3)
    v_hat = sum_{k<h} gamma^k u_{t+k}                              g's rewards, unrolled from h(s_t)   (eq 4)
    error of a sequence = |v - v_hat|                                                                  (eq 5)
    Pr(a_{t:t+h-1} | s_t, pi) = prod_{k<h} pi(a_{t+k} | s_{t+k})   pi asked at the real states         (eq 6)
    error of pi at h = | E_{a ~ Pr(. | s_t, pi)} [v - v_hat] |     the absolute value outside          (eq 7)

No value bootstraps a sum, and no time limit ends one. After a termination real rewards are 0, every action is equally
likely, and the model is unrolled on (docs/protocol.md, Model error).

Sequences grow step by step as a tree of prefixes, so that the search of a shared prefix is made once. Every
prefix carries a weight: its probability (exact expectation), or the number of sampled sequences that start
with it (Monte Carlo).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.envs.base import Environment, check_step, start_states
from muzero_probe.models.contract import Model, checked, same_actions

# (rows [n] ascending, observations [n, *obs]) -> pi(. | s) [n, A]
Policy = Callable[[np.ndarray, np.ndarray], np.ndarray]
# (rows [n] ascending, weights [n], policies [n, A]) -> weights of the children [n, A]; negative drops a child
Spread = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Prefixes(NamedTuple):
    """All prefixes of one length, ascending by row."""

    rows: np.ndarray  # [n] root state that the prefix starts from
    weights: np.ndarray  # [n] float64
    true: np.ndarray  # [n] float64, v of eq 3
    predicted: np.ndarray  # [n] float64, v_hat of eq 4
    was_alive: np.ndarray  # [n] bool, whether the state before the last action was non-terminal
    predicted_reward: np.ndarray  # [n] float32, of the last action


class PolicyError(NamedTuple):
    """Eq 7 and what stands beside it; every array is [B, H], entry h - 1 for horizon h."""

    error: np.ndarray  # |E[v - v_hat]|
    bias: np.ndarray  # E[v - v_hat]
    standard_error: np.ndarray  # Monte Carlo standard error of the bias; 0 where the expectation is exact
    over: np.ndarray  # probability that the episode is over before the h-th action
    foreseen: np.ndarray  # ... and the model's h-th reward says so
    invented: np.ndarray  # probability that it is not over, but the model's h-th reward says that it is


def grow(
    env: Environment,
    model: Model,
    states: np.ndarray,
    policy: Policy,
    spread: Spread,
    *,
    horizon: int,
    discount: float,
) -> Iterator[Prefixes]:
    """Yields the prefixes of length h = 1, ..., horizon with their sums v and v_hat (eqs 3 and 4).

    With the spread `exact` or `every` a prefix' weight is its probability (eq 6).

    Args:
        env: the ground truth.
        model: the learned model under test; B rows.
        states: [B, ...] root states, non-terminal.
        policy: the behaviour policy; asked at every non-terminal real state on the way. After a termination
            every action is equally likely.
        spread: how a prefix' weight goes over to its children.
        horizon: H.
        discount: per step.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if a state is terminal, a number lies out of range, the policy gives no distributions, or there
            are more than `door.MOST_SEQUENCES` prefixes.
    """
    A = same_actions(model, door.instance("env", env, Environment))
    door.function("policy", policy)
    door.function("spread", spread)
    door.whole("horizon", horizon, 1)
    discount = np.float64(door.discount(discount))  # its products with float32 rewards are float64
    observations = env.observe(start_states(env, states))
    rows = np.arange(len(states))
    weights = np.ones(len(states))
    true = np.zeros(len(states))
    predicted = np.zeros(len(states))
    alive = ~env.is_terminal(states)
    latents = checked(model.root(observations, states), model, len(states)).states
    for h in range(horizon):
        policies = np.full((len(rows), A), 1 / A)
        asked = np.flatnonzero(alive)
        if asked.size:
            policies[asked] = _distributions(policy(rows[asked], observations[asked]), (asked.size, A))
        child_weights = spread(rows, weights, policies)
        door.sequences(int(np.count_nonzero(child_weights >= 0)), f"{h + 1} steps from {len(observations)} prefixes")
        parents, actions = np.nonzero(child_weights >= 0)
        rows = rows[parents]
        weights = child_weights[parents, actions]
        step = check_step(env, env.step(states[parents], actions), len(rows))
        prediction = checked(model.rows(rows).step(latents[parents], actions), model, len(rows))
        true = true[parents] + discount**h * step.rewards
        predicted = predicted[parents] + discount**h * prediction.rewards
        yield Prefixes(rows, weights, true, predicted, alive[parents], prediction.rewards)
        states, observations, alive = step.states, step.observations, ~step.terminated
        latents = prediction.states


def _distributions(found: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns what a policy answers, if it is a distribution over actions for every state."""
    found = np.asarray(found)
    if found.shape != shape:
        raise ValueError(f"the policy must give probabilities of shape {list(shape)}, not {list(found.shape)}")
    sums = found.sum(-1)
    if not (found >= 0).all() or not (np.abs(sums - 1) < 1e-4).all():  # also where one is no number
        raise ValueError(
            f"the policy's probabilities must be 0 or more and sum to 1, not {sums[np.argmax(abs(sums - 1))]:g}"
        )
    return found


def exact(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """Spreads probabilities; impossible prefixes are dropped."""
    spread = weights[:, None] * policies
    return np.where(spread > 0, spread, -1.0)


def every(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """Spreads probabilities and keeps impossible prefixes too (Fig 4 enumerates all sequences)."""
    return weights[:, None] * policies


def sampled(rngs: list[np.random.Generator], groups: np.ndarray) -> Spread:
    """Spreads counts of sampled sequences at random.

    Args:
        rngs: random streams.
        groups: [B] index into `rngs` of every root state, ascending.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if groups do not fit the streams; what is returned, if weights are no counts.
    """
    door.streams("rngs", rngs)
    groups = _groups(door.array("groups", groups, ("B",), door.INTEGERS), len(groups), len(rngs))

    def spread(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
        if not (weights == np.rint(weights)).all() or not (weights >= 0).all():
            odd = weights[(weights != np.rint(weights)) | (weights < 0)][0]
            raise ValueError(f"counts of sampled sequences must be whole and 0 or more, {odd:g} is among them")
        counts = np.empty(policies.shape)
        owner = groups[rows]
        policies = policies / policies.sum(-1, keepdims=True)
        for index in np.unique(owner):
            of_group = owner == index
            counts[of_group] = rngs[index].multinomial(weights[of_group].astype(np.int64), policies[of_group])
        return np.where(counts > 0, counts, -1.0)

    return spread


def policy_value_error(
    env: Environment,
    model: Model,
    states: np.ndarray,
    policy: Policy,
    *,
    horizon: int,
    discount: float,
    samples: int | None,
    rngs: list[np.random.Generator] | None = None,
    groups: np.ndarray | None = None,
) -> PolicyError:
    """Value prediction error of a policy at every horizon h up to H (eq 7).

        error = |bias|,    bias = E_{a ~ Pr(. | s, pi)} [v - v_hat]

    Estimated from M sequences with d_i = v - v_hat of the i-th, the bias has the Monte Carlo standard error

        sqrt( sum_i (d_i - bias)^2 / (M (M - 1)) )

    The model calls a state over where it predicts less than half the reward of being alive.

    Args:
        env: the ground truth.
        model: the learned model; B rows.
        states: [B, ...] root states.
        policy: behaviour policy.
        horizon: H.
        discount: per step.
        samples: sequences per state, or None for the exact expectation over all of them.
        rngs: random streams, needed for sampling.
        groups: [B] index into `rngs` of the stream that every row draws from, ascending (a seed's rows share one);
            None where there is one stream.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if samples are below 2, streams are missing, or groups do not fit them; if sequences are more than
            `door.MOST_SEQUENCES`; as `grow`.
    """
    A, B = same_actions(model, door.instance("env", env, Environment)), len(states)
    door.whole("horizon", horizon, 1)
    if samples is None:
        door.sequences(B * A**horizon, f"samples is None: of length {horizon} from {B} states")
        spread: Spread = exact
    elif rngs is None:
        raise ValueError("sampling needs random streams, and none are given")
    else:
        door.whole("samples", samples, 2)  # fewer have no standard error
        door.streams("rngs", rngs)
        door.sequences(B * min(samples, A**horizon), f"of {samples} samples from {B} states")
        spread = _scaled(sampled(rngs, _groups(groups, B, len(rngs))), samples)
    result = PolicyError(*(np.zeros((B, horizon)) for _ in PolicyError._fields))
    prefixes = grow(env, model, states, policy, spread, horizon=horizon, discount=discount)
    for h, p in enumerate(prefixes):

        def mean(x: np.ndarray, p: Prefixes = p) -> np.ndarray:
            return np.bincount(p.rows, p.weights * x, B) / np.bincount(p.rows, p.weights, B)

        difference = p.true - p.predicted
        result.bias[:, h] = mean(difference)
        if samples is not None:
            squares = mean((difference - result.bias[p.rows, h]) ** 2)
            result.standard_error[:, h] = np.sqrt(squares / (samples - 1))
        # nearer to 0 than to the reward of being alive, which may be negative
        said_over = p.predicted_reward / env.alive_reward < 0.5 if env.alive_reward else np.full(len(p.rows), np.nan)
        result.over[:, h] = mean(~p.was_alive)
        result.foreseen[:, h] = mean(~p.was_alive * said_over)
        result.invented[:, h] = mean(p.was_alive * said_over)
    result.error[:] = np.abs(result.bias)
    return result


def _groups(groups: np.ndarray | None, rows: int, streams: int) -> np.ndarray:
    """Returns the stream of every row."""
    if groups is None:
        if streams != 1:
            raise ValueError(f"there are {streams} random streams: groups must say which one a row draws from")
        return np.zeros(rows, np.int64)
    door.array("groups", groups, ("B",), door.INTEGERS)
    if groups.shape != (rows,) or (np.diff(groups) < 0).any() or (rows and not 0 <= groups[0] <= groups[-1] < streams):
        raise ValueError(f"groups must be [{rows}], ascending within 0..{streams - 1}")
    return groups


def _scaled(spread: Spread, samples: int) -> Spread:
    """Starts every root with `samples` sequences instead of weight 1."""

    def scaled(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
        children = spread(rows, np.rint(weights * samples), policies)
        return np.where(children > 0, children / samples, -1.0)

    return scaled
