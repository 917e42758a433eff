"""How far does planning with the model improve the policy? (Fig 7)

A planner searches with the {learned, true} model and the {policy, uniform} prior; a leaf is worth one random
rollout in the same model; the most visited action is taken.
"""

from typing import Literal

import numpy as np

from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.models import LearnedModel, TrueModel
from muzero_probe.probes.episodes import Episodes, play
from muzero_probe.probes.policies import most_visited, prior_policy
from muzero_probe.randomness import advance, uniforms
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import Prior, sample_actions, search

PlanningModel = Literal["learned", "true"]


def play_planner(
    env: Environment,
    agents: LearnedModel | None,
    starts: np.ndarray,
    config: SearchConfig,
    *,
    model: PlanningModel,
    prior: Prior,
    horizon: int,
    keys: np.ndarray,
) -> Episodes:
    """Plays one episode per row with a planner.

    Args:
        env: the environment.
        agents: learned model and policy prior of every row; B rows. None will do for true model and uniform prior.
        starts: [B] environment seeds.
        config: search settings; `simulations` per step.
        model: what the search plans with.
        prior: with the true model the policy prior is pi_theta(. | h(s)) at the real state of each node.
        horizon: planning horizon, steps from the root.
        keys: [B] uint64 streams of rollouts and of ties.

    Raises:
        ValueError: if the planner needs agents and has none.
    """
    if agents is None and (model, prior) != ("true", "uniform"):
        raise ValueError(f"a planner with the {model} model and the {prior} prior needs agents")
    leaf = RolloutLeaf(horizon=horizon)

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        now = advance(keys[rows], time)
        of_rows = agents and agents.rows(rows)
        if of_rows and model == "learned":
            result = search(of_rows, observations, config, prior=prior, leaf=leaf, keys=now)
        else:
            truth = TrueModel(env, of_rows if prior == "policy" else None)
            result = search(truth, states, config, prior=prior, leaf=leaf, keys=now)
        return most_visited(result.visits, uniforms(now))

    return play(env, starts, act)


def play_prior(env: Environment, agents: LearnedModel, starts: np.ndarray, keys: np.ndarray) -> Episodes:
    """Plays one episode per row with actions sampled from the policy prior; arguments as in `play_planner`."""

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        return sample_actions(prior_policy(agents.rows(rows), observations), uniforms(advance(keys[rows], time)))

    return play(env, starts, act)
