"""Is what a checkpoint does in a few episodes seen as it is?"""

from typing import Any

import numpy as np
import pytest
import torch

from muzero_probe import agents
from muzero_probe.config import Config, SearchConfig
from muzero_probe.diagnosis import episodes as watching
from muzero_probe.diagnosis.episodes import of_episodes, outermost
from muzero_probe.diagnosis.rules import findings
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import chain
from muzero_probe.nets.build import build
from muzero_probe.nets.categorical import Support
from muzero_probe.nets.layers import initial_vector
from muzero_probe.nets.loss import Nets
from muzero_probe.nets.mlp import Mlp
from muzero_probe.probes.episodes import play, reset_seeds
from muzero_probe.probes.policies import search_policy
from muzero_probe.randomness import advance, row_keys, uniforms
from muzero_probe.search.policies import sample_actions
from tests.doubles import random_nets, random_theta, tiny_training, treadmill

CONFIG = Config(search=SearchConfig(simulations=6), training=tiny_training())


def seen(env: Environment, *, steps: int = 30, episodes: int = 2, config: Config = CONFIG, **nets: Any) -> Any:
    shape = {"observation": int(np.prod(env.observation_shape)), "actions": env.num_actions}
    own = random_nets(**shape, **nets)
    return of_episodes(env, own, random_theta(own), config, seed=3, step=steps, episodes=episodes)


def test_its_episodes_are_those_that_are_played():
    """The first of the analysis `returns`; actions and favourites counted by hand."""
    env, nets = CartPole(), random_nets(observation=4, actions=2)
    theta = random_theta(nets)
    evidence = of_episodes(env, nets, theta, CONFIG, seed=3, step=20, episodes=4)
    keys, taken, other = row_keys(3, "returns keys", 4, 20), np.zeros(2), 0

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        nonlocal other
        model, seeds = learned_model(nets, theta, np.zeros(len(rows), int)), np.full(len(rows), 3)
        visits = search_policy(model, observations, CONFIG.search, 1.0, seeds)
        favourites = model.root(observations).prior_logits.argmax(1)
        other += sum(row[favourite] < row.max() for row, favourite in zip(visits, favourites, strict=True))
        sharpened = search_policy(model, observations, CONFIG.search, CONFIG.training.temperature(20), seeds)
        actions = sample_actions(sharpened, uniforms(advance(keys[rows], time)))
        taken[:] += np.bincount(actions, minlength=2)
        return actions

    lengths = play(env, reset_seeds(3, "returns starts", 4, 20), act).lengths
    assert lengths.max() < watching.STEPS
    assert taken.sum() == lengths.sum()
    assert evidence.known["action_share"].value == taken.max() / taken.sum()
    assert evidence.known["disagreement"].value == other / taken.sum() > 0
    assert evidence.known["idle_share"].value == 0
    assert evidence.known["action_share"].where == "in 4 episodes of the checkpoint of step 20"
    assert evidence.unknown == {"in_play_share": "the environment does not say whether the game is on"}


def pushed(nets: Nets, theta: torch.Tensor, name: str, place: int, by: float) -> torch.Tensor:
    """Parameters with one bias moved."""
    arrays = nets.layout.arrays(theta[0].numpy().copy())
    arrays[name][place] += by
    return torch.tensor(nets.layout.vector(arrays))[None]


def nets_of(low: int, high: int) -> tuple[Mlp, torch.Tensor]:
    nets = random_nets(value=(low, high))
    return nets, random_theta(nets)


@pytest.mark.parametrize(("low", "high"), [(-3, 10), (0, 10), (-3, 0)])
def test_mass_on_the_outermost_atoms(low: int, high: int):
    """That at 0 is a value like others."""
    nets, theta = nets_of(low, high)
    assert nets.value_support == Support(low=low, high=high)
    observations = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)
    p = nets.layout.views(theta)
    logits, _ = nets.prediction(p, nets.representation(p, torch.as_tensor(observations)[None]))
    chances = np.exp(logits[0].double().numpy())
    chances /= chances.sum(1, keepdims=True)
    expected = sum(chances[:, place] for place, atom in ((0, low), (-1, high)) if atom)
    np.testing.assert_allclose(outermost(nets, theta, observations), expected, rtol=1e-5)


@pytest.mark.parametrize("atom", [0, -1])
def test_a_saturated_head_is_named(atom: int):
    env = chain(5)
    nets = random_nets(observation=env.observation_shape[0], actions=env.num_actions)
    theta = pushed(nets, random_theta(nets), "value.b2", atom, 50.0)
    evidence = of_episodes(env, nets, theta, CONFIG, seed=0, step=0, episodes=2)
    assert evidence.known["saturated"].value > 0.99
    assert "saturated value head" in {finding.name for finding in findings(evidence)}


def test_episodes_that_nothing_comes_of_are_idle():
    env = treadmill(time_limit=6)
    env.rewards = np.zeros_like(env.rewards)
    evidence = seen(env)
    assert evidence.known["idle_share"].value == 1
    assert "waits for the time limit" in {finding.name for finding in findings(evidence)}
    assert seen(treadmill(time_limit=6)).known["idle_share"].value == 0


def test_long_episodes_are_watched_in_part(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "STEPS", 5)
    evidence = seen(treadmill(time_limit=None), episodes=1)
    assert evidence.unknown["idle_share"] == "episodes were watched for 5 steps, before they ended"
    assert evidence.known["action_share"].where == "in 1 episode of the checkpoint of step 30"


@pytest.mark.parametrize("serves", [False, True])
def test_an_agent_that_never_serves_waits(serves: bool):
    """ALE's, whose prior leaves the serve out, or is for it alone."""
    agent = agents.load("breakout")
    config = agent.config("smoke")
    env = agent.make(config.environment)
    nets = build(config.nets, env)
    initial = torch.tensor(initial_vector(nets.layout, np.random.default_rng(0)))[None]
    theta = pushed(nets, initial, "policy.out.b", 1, 50.0 if serves else -50.0)
    evidence = of_episodes(env, nets, theta, config, seed=0, step=20, episodes=2)
    found = {finding.name for finding in findings(evidence)}
    assert ("waits" in found) == (not serves)
    assert evidence.known["in_play_share"].value == 0 or serves
    assert "waits for the time limit" in found or serves
    assert ("collapsed policy" in found) == serves
