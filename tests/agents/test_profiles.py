"""Are the agents' profiles possible, their settings read back as written, and the study's where it has some?"""

import dataclasses
import json
import math

import pytest

from muzero_probe import agents
from muzero_probe.agents import SMOKE, Agent, replace
from muzero_probe.nets.categorical import Support
from tests.reference import support as reference

EVERY = [(name, profile) for name in agents.names() for profile in agents.load(name).profiles]
of_every_profile = pytest.mark.parametrize(("name", "profile"), EVERY)


@of_every_profile
def test_a_profile_is_possible_and_survives_json(name: str, profile: str):
    agent = agents.load(name)
    config, p = agent.config(profile), agent.profile(profile)
    assert config.agent == name
    assert (config.environment, config.nets, config.search, config.training) == (
        dict(p.environment), p.nets, p.search, p.training,
    )  # fmt: skip
    assert config.training.checkpoints[-1] == config.training.steps
    assert p.seeds > 0
    assert agent.read(json.loads(json.dumps(config.to_dict())), profile) == config


@pytest.mark.parametrize("name", agents.names())
def test_every_agent_has_the_study_s_sizes_and_a_title(name: str):
    agent = agents.load(name)
    assert {"smoke", "quick", "paper"} <= agent.profiles.keys()
    assert agent.title[0].isupper()
    steps = [profile.training.steps for profile in agent.profiles.values()]
    assert steps == sorted(steps)


@pytest.mark.parametrize("name", agents.names())
def test_an_environment_and_nets_are_made(name: str):
    agent = agents.load(name)
    smoke = agent.profile("smoke")
    env = agent.make(smoke.environment)
    nets = agent.build(smoke.nets, env)
    assert env.name.split("-")[0] == name
    assert nets.actions == env.num_actions
    _, observations = env.reset([0])
    assert observations[0].size == math.prod(nets.observation_shape)


def test_the_study_is_cart_pole_s_paper_profile():
    agent = agents.load("cartpole")
    assert agent.profile("paper").seeds == 30
    t, s = agent.config("paper").training, agent.config("paper").search
    assert (t.steps, t.unroll_steps) == (100_000, 10)
    assert (t.temperatures, t.temperature_changes) == ((1, 0.5, 0.25), (0.5, 0.75))
    assert (s.rule, s.simulations, s.discount) == ("muzero", 50, 0.997)
    assert (s.c1, s.c2, s.dirichlet_fraction) == (1.25, 19652, 0.25)
    assert 2_000 in t.checkpoints  # Figure 6
    assert agent.profile("paper").analyses["prior_effect"] == {"step": 2_000, "horizon": 16}


# Cart Pole: 1 / (1 - discount), reward 1 for ever. Lunar Lander: the highest return is a landing's 100 and all the
# shaping, 20 on the ground less 100 x (distance, speed, tilt) in the air; a lander that fell out of the screen's
# corner (distance 1.7, speed 1.6) would be worth 450. The lowest: as much lost by shaping, and a crash.
# MinAtar: all 30 bricks of a screen at the fastest, one every other step, are worth 23, and the ball must come back.
VALUES = {
    "cartpole": (0, 1 / (1 - 0.997)),
    "lunar_lander": (-550, 450),
    "minatar": (0, 32),
    "breakout": (0, 1 / (1 - 0.997**4)),
}
REWARDS = {"cartpole": (0, 1), "lunar_lander": (-100, 100), "minatar": (0, 1), "breakout": (0, 1)}


@of_every_profile
def test_no_value_saturates(name: str, profile: str):
    nets = agents.load(name).profile(profile).nets
    for (low, high), atoms in (
        (VALUES[name], (nets.value_low, nets.value_high)),
        (REWARDS[name], (nets.reward_low, nets.reward_high)),
    ):
        assert atoms[0] <= reference.scale(low) and reference.scale(high) < atoms[1]


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match=r"^profile 'huge' is unknown for cartpole: smoke, quick, paper$"):
        agents.load("cartpole").config("huge")


def test_settings_of_other_nets_are_refused():
    written = agents.load("minatar").config("smoke").to_dict()
    with pytest.raises(ValueError, match=r"config section nets: \['filters'\] unknown or missing"):
        agents.load("cartpole").read(written, "smoke")


def test_replace_names_what_differs():
    paper = agents.load("cartpole").profile("paper")
    changed = replace(paper, nets={"latent": 8}, search={"simulations": 3}, training=SMOKE, seeds=2)
    assert changed.nets == dataclasses.replace(paper.nets, latent=8)
    assert changed.search == dataclasses.replace(paper.search, simulations=3)
    assert changed.training == dataclasses.replace(paper.training, **SMOKE)
    assert (changed.seeds, changed.analyses) == (2, paper.analyses)
    assert replace(paper, nets=changed.nets).nets is changed.nets


def test_an_agent_cannot_be_changed():
    agent = agents.load("cartpole")
    assert isinstance(agent, Agent)
    with pytest.raises(dataclasses.FrozenInstanceError):
        agent.title = "Cart"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", agents.names())
def test_supports_hold_what_the_discount_allows(name: str):
    agent = agents.load(name)
    for profile in agent.profiles:
        config = agent.config(profile)
        env = agent.make(config.environment)
        support = agent.build(config.nets, env).value_support
        agent.check_support(support, env, config.search.discount)
        with pytest.raises(ValueError, match=r"values of .* reach from .*, but nets\.value_low and value_high hold"):
            agent.check_support(Support(low=-1, high=1), env, config.search.discount)


@pytest.mark.parametrize(("discount", "reach"), [(1.0, "500"), (0.9999, "1e\\+04")])
def test_values_beyond_the_support_are_no_cart_pole(discount: float, reach: str):
    """1 a step for ever is worth 1 / (1 - gamma), and 500 with a time limit alone; atoms up to 20 hold 422."""
    agent = agents.load("cartpole")
    with pytest.raises(ValueError, match=f"reach from 0 to {reach}, but .* hold 0 to 422"):
        agent.check_support(Support(low=0, high=20), agent.make({}), discount)
