"""Does the policy prior keep the search where the model is right? (Fig 6)

The policy prior is compared with the smoothed visit distribution q at the root, which is above 0 everywhere:

    q(a) = (1 + N(a)) / (|A| + sum_b N(b))
    TV   = 1/2 sum_a |pi_theta(a | s) - q(a)|
    KL   = sum_a pi_theta(a | s) log(pi_theta(a | s) / q(a))

The error is eq 5 of what was simulated, the tree path and the random rollout behind it, cut at the planning horizon.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment, followed, start_states
from muzero_probe.models.contract import Model, rolled, same_actions
from muzero_probe.probes.policies import prior_policy
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import Prior, search
from muzero_probe.targets import discounted_sums


class PriorEffect(NamedTuple):
    """Of searches from B states, after each of the budgets; every array is [B, len(budgets)]."""

    error: np.ndarray  # mean eq 5 of the simulated trajectories: tree path and rollout
    path_error: np.ndarray  # ... of the tree paths alone
    tv: np.ndarray  # total variation distance between policy prior and smoothed visit distribution, 0 to 1
    kl: np.ndarray  # KL(policy prior || smoothed visit distribution), nats


def prior_effect(
    env: Environment,
    model: Model,
    states: np.ndarray,
    config: SearchConfig,
    *,
    prior: Prior,
    horizon: int,
    budgets: list[int],
    keys: np.ndarray,
) -> PriorEffect:
    """Searches with the learned model and random rollouts, and judges what was simulated.

    A search with n simulations is the beginning of every longer one, so one search of `config.simulations`
    serves all budgets. After n of them N(a) is the number of the first n trajectories that begin with a.

    Args:
        env: the ground truth.
        model: the learned model; B rows.
        states: [B, ...].
        config: `simulations` must be the largest budget.
        prior: of the search.
        horizon: at which trajectories are cut, steps from the root.
        budgets: numbers of simulations.
        keys: [B] uint64 streams of ties and rollouts.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are no budgets, or the largest differs from the search's; if a state is terminal; as
            `search`.
    """
    same_actions(model, door.instance("env", env, Environment))
    door.instance("config", config, SearchConfig)
    if not isinstance(budgets, list | tuple) or not budgets:
        raise TypeError(f"budgets must be a list of one number of simulations or more, not {budgets!r:.60}")
    for budget in budgets:
        door.whole("budget", budget, 1)
    if max(budgets) != config.simulations:
        raise ValueError(f"search.simulations is {config.simulations}, the largest budget is {max(budgets)}")
    observations = env.observe(start_states(env, states))
    leaf = RolloutLeaf(horizon=horizon)
    result = search(model, observations, config, states=states, prior=prior, leaf=leaf, keys=keys, record=True)
    assert result.record is not None
    plans = result.record.trajectories
    B, n, T = plans.shape
    rows = np.repeat(np.arange(B), n)
    flat = plans.reshape(B * n, T)
    roots = model.root(observations, states).states
    door.room(f"states of {B * n:,} trajectories", getattr(roots, "nbytes", 0) * n)
    real = followed(env, states[rows], flat)
    predicted = rolled(model.rows(rows), roots[rows], flat)
    difference = np.abs(discounted_sums(real, config.discount) - discounted_sums(predicted, config.discount))
    error = difference[:, -1].reshape(B, n)
    path_end = result.record.path_lengths.reshape(-1) - 1
    path_error = difference[np.arange(B * n), path_end].reshape(B, n)
    policy = prior_policy(model, observations)
    out = PriorEffect(*(np.empty((B, len(budgets))) for _ in PriorEffect._fields))
    A = env.num_actions
    for i, budget in enumerate(budgets):
        visits = (plans[:, :budget, 0, None] == np.arange(A)).sum(1)
        spread = (1 + visits) / (A + budget)
        out.error[:, i] = error[:, :budget].mean(1)
        out.path_error[:, i] = path_error[:, :budget].mean(1)
        out.tv[:, i] = 0.5 * np.abs(policy - spread).sum(1)
        # a prior of exactly 0 contributes nothing
        ratio = np.log(np.where(policy > 0, policy, 1.0)) - np.log(spread)
        out.kl[:, i] = (policy * ratio).sum(1)
    return out
