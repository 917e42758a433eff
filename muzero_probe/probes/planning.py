"""How far does planning with the model improve the policy? (Fig 7)

A planner searches with a model and the {policy, uniform} prior; a leaf is worth one random rollout in the same model;
the most visited action is taken.
"""

import numpy as np

from muzero_probe import door
from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.models.contract import Model, same_actions
from muzero_probe.probes.episodes import Episodes, play
from muzero_probe.probes.policies import most_visited, prior_policy
from muzero_probe.randomness import advance, uniforms
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import Prior, search
from muzero_probe.search.policies import sample_actions


def play_planner(
    env: Environment,
    model: Model,
    starts: np.ndarray,
    config: SearchConfig,
    *,
    prior: Prior,
    horizon: int,
    keys: np.ndarray,
) -> Episodes:
    """Plays one episode per row with a planner.

    Args:
        env: the environment.
        model: what the search plans with; B rows. `TrueModel(env, agents)` plans in the environment with the agents'
            prior at the real state of each node, `TrueModel(env)` owes nothing to any agent.
        starts: [B] environment seeds.
        config: search settings; `simulations` per step.
        prior: of the search.
        horizon: planning horizon, steps from the root.
        keys: [B] uint64 streams of rollouts and of ties.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: as `search` and `play`.
    """
    _check(env, model, starts, keys)
    leaf = RolloutLeaf(horizon=horizon)

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        now = advance(keys[rows], time)
        of_rows = model.rows(rows)
        result = search(of_rows, observations, config, states=states, prior=prior, leaf=leaf, keys=now)
        return most_visited(result.visits, uniforms(now))

    return play(env, starts, act)


def play_prior(env: Environment, model: Model, starts: np.ndarray, keys: np.ndarray) -> Episodes:
    """Plays one episode per row with actions sampled from the policy prior; see `play_planner`."""
    _check(env, model, starts, keys)

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        return sample_actions(prior_policy(model.rows(rows), observations), uniforms(advance(keys[rows], time)))

    return play(env, starts, act)


def _check(env: Environment, model: Model, starts: np.ndarray, keys: np.ndarray) -> None:
    same_actions(model, door.instance("env", env, Environment))
    door.array("starts", starts, ("B",), door.INTEGERS, low=0)
    door.keys(keys, len(starts))
