"""Is a true model the environment, with the agent's predictions at its real states?"""

import numpy as np
import pytest

from muzero_probe.engine import learned_model
from muzero_probe.envs.planted import chain, tree
from muzero_probe.models import TrueModel
from tests.doubles import random_nets, random_theta


def test_true_model_is_the_environment():
    env = tree()
    model = TrueModel(env)
    states, _ = env.reset([0, 0, 0])
    root = model.root(env.observe(states), states)
    assert root.states.tolist() == [0, 0, 0] and root.rewards.tolist() == [0, 0, 0]
    assert root.values.tolist() == [0, 0, 0] and root.prior_logits.shape == (3, 2) and not root.prior_logits.any()
    step = model.step(root.states, np.array([0, 1, 1]))
    assert step.states.tolist() == [1, 2, 2]
    assert step.rewards.tolist() == [4, 0, 0]
    plans = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]])
    assert model.rollout(states, plans).tolist() == [[0, 0, 7], [4, 2, -6], [0, 2, 2]]


def test_true_model_predicts_with_the_agent_s_nets_at_the_real_state():
    env = chain(3)
    nets = random_nets(observation=4, actions=2)
    agents = learned_model(nets, random_theta(nets, seeds=2), np.array([0, 0, 1, 1]))
    model = TrueModel(env, agents)
    states = np.array([1, 2, 2, 1])
    root = model.root(env.observe(states), states)
    expected = agents.root(env.observe(states))
    assert np.array_equal(root.prior_logits, expected.prior_logits)
    assert np.array_equal(root.values, expected.values)
    with pytest.raises(ValueError, match="chain-3: states must not be terminal to start from, row 1 is"):
        model.root(env.observe(np.array([1, 3])), np.array([1, 3]))
    states = np.array([1, 2, 2, 3])  # a terminal state is absorbing
    step = model.step(states, np.array([1, 1, 0, 1]))
    expected = agents.root(env.observe(np.array([2, 3, 1, 3])))
    assert step.rewards.tolist() == [0, 1, 0, 0]
    assert np.array_equal(step.prior_logits, expected.prior_logits)
    assert step.values.tolist() == [expected.values[0], 0, expected.values[2], 0]
    part = model.rows(slice(1, 3)).root(env.observe(states[1:3]), states[1:3])
    assert np.array_equal(part.values, root.values[1:3])


def test_true_model_pays_nothing_behind_the_end():
    model = TrueModel(chain(2))
    plans = np.ones((2, 4), int)
    assert model.rollout(np.array([0, 2]), plans).tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]
    step = model.step(np.array([2]), np.array([1]))
    assert step.rewards.tolist() == [0] and step.values.tolist() == [0] and step.states.tolist() == [2]
