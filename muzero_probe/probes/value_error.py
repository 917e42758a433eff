"""How wrong are the learned model's reward sums along the action sequences of a policy? (eqs 3-7)

Sequences grow step by step as a tree of prefixes, so that the search of a shared prefix is made once. Every
prefix carries a weight: its probability (exact expectation), or the number of sampled sequences that start
with it (Monte Carlo).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from muzero_probe.envs.base import Environment
from muzero_probe.models import LearnedModel

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
    model: LearnedModel,
    states: np.ndarray,
    policy: Policy,
    spread: Spread,
    *,
    horizon: int,
    discount: float,
) -> Iterator[Prefixes]:
    """Yields the prefixes of length 1, ..., horizon.

    Args:
        env: the ground truth.
        model: the learned model under test; B rows.
        states: [B, ...] root states, non-terminal.
        policy: the behaviour policy; asked at every non-terminal real state on the way. After a termination
            every action is equally likely.
        spread: how a prefix' weight goes over to its children.
        horizon: H.
        discount: per step.
    """
    A = env.num_actions
    discount = np.float64(discount)  # its products with float32 rewards are float64
    observations = env.observe(states)
    rows = np.arange(len(states))
    weights = np.ones(len(states))
    true = np.zeros(len(states))
    predicted = np.zeros(len(states))
    alive = ~env.is_terminal(states)
    latents = model.root(observations).states
    for h in range(horizon):
        policies = np.full((len(rows), A), 1 / A)
        asked = np.flatnonzero(alive)
        if asked.size:
            policies[asked] = policy(rows[asked], observations[asked])
        child_weights = spread(rows, weights, policies)
        parents, actions = np.nonzero(child_weights >= 0)
        rows = rows[parents]
        weights = child_weights[parents, actions]
        step = env.step(states[parents], actions)
        prediction = model.rows(rows).step(latents[parents], actions)
        true = true[parents] + discount**h * step.rewards
        predicted = predicted[parents] + discount**h * prediction.rewards
        yield Prefixes(rows, weights, true, predicted, alive[parents], prediction.rewards)
        states, observations, alive = step.states, step.observations, ~step.terminated
        latents = prediction.states


def exact(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """Spreads probabilities; impossible prefixes are dropped."""
    spread = weights[:, None] * policies
    return np.where(spread > 0, spread, -1.0)


def every(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """Spreads probabilities and keeps impossible prefixes too (Fig 4 enumerates all sequences)."""
    return weights[:, None] * policies


def sampled(rngs: list[np.random.Generator], row_seeds: np.ndarray) -> Spread:
    """Spreads counts of sampled sequences at random.

    Args:
        rngs: one stream per seed.
        row_seeds: [B] index into `rngs` of every root state, ascending.
    """

    def spread(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
        counts = np.empty(policies.shape)
        owner = row_seeds[rows]
        policies = policies / policies.sum(-1, keepdims=True)
        for index in np.unique(owner):
            own = owner == index
            counts[own] = rngs[index].multinomial(weights[own].astype(np.int64), policies[own])
        return np.where(counts > 0, counts, -1.0)

    return spread


def policy_value_error(
    env: Environment,
    model: LearnedModel,
    states: np.ndarray,
    policy: Policy,
    *,
    horizon: int,
    discount: float,
    samples: int | None,
    rngs: list[np.random.Generator] | None = None,
) -> PolicyError:
    """Value prediction error of a policy at every horizon up to H (eq 7).

    Args:
        env: the ground truth.
        model: the learned model; B rows.
        states: [B, ...] root states.
        policy: behaviour policy.
        horizon: H.
        discount: per step.
        samples: sequences per state, or None for the exact expectation over all of them.
        rngs: one stream per seed, needed for sampling.

    Raises:
        ValueError: if samples are below 2, or streams are missing.
    """
    if samples is None:
        spread: Spread = exact
    elif rngs is None:
        raise ValueError("sampling needs one random stream per seed")
    elif samples < 2:
        raise ValueError(f"samples is {samples}, at least 2 are needed for a standard error (or None: exact)")
    else:
        spread = _scaled(sampled(rngs, model.row_seeds), samples)
    B = len(states)
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


def _scaled(spread: Spread, samples: int) -> Spread:
    """Starts every root with `samples` sequences instead of weight 1."""

    def scaled(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
        children = spread(rows, np.rint(weights * samples), policies)
        return np.where(children > 0, children / samples, -1.0)

    return scaled
