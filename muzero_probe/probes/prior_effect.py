"""Does the policy prior keep the search where the model is right? (Fig 6)"""

from typing import NamedTuple

import numpy as np

from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.models import LearnedModel
from muzero_probe.probes.policies import prior_policy
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import Prior, search
from muzero_probe.targets import discounted_sums


class PriorEffect(NamedTuple):
    """Of searches from B states, after each of the budgets; every array is [B, len(budgets)]."""

    error: np.ndarray  # mean eq 5 of the simulated trajectories: tree path and rollout
    path_error: np.ndarray  # ... of the tree paths alone
    tv: np.ndarray  # total variation distance between policy prior and visit distribution
    kl: np.ndarray  # KL(prior || visit distribution), nats


def prior_effect(
    env: Environment,
    model: LearnedModel,
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
    serves all budgets.

    Args:
        env: the ground truth.
        model: the learned model; B rows.
        states: [B, ...].
        config: `simulations` must be the largest budget.
        prior: of the search.
        horizon: at which trajectories are cut, steps from the root.
        budgets: numbers of simulations.
        keys: [B] uint64 streams of the rollouts.

    Raises:
        ValueError: if the largest budget differs from the search's.
    """
    if max(budgets) != config.simulations:
        raise ValueError(f"search.simulations is {config.simulations}, the largest budget is {max(budgets)}")
    observations = env.observe(states)
    result = search(model, observations, config, prior=prior, leaf=RolloutLeaf(horizon=horizon), keys=keys, record=True)
    assert result.record is not None
    plans = result.record.trajectories
    B, n, T = plans.shape
    rows = np.repeat(np.arange(B), n)
    flat = plans.reshape(B * n, T)
    real = env.rollout(states[rows], flat)[0]
    guessed = model.rows(rows).rollout(model.root(observations).states[rows], flat)
    difference = np.abs(discounted_sums(real, config.discount) - discounted_sums(guessed, config.discount))
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
