"""Are impossible settings refused, schedules as the study states, and configs read back as written?"""

import dataclasses
import json

import pytest

from muzero_probe.config import Config, NetsConfig, SearchConfig, TrainingConfig
from muzero_probe.presets import PRESETS, SEEDS, preset
from tests.reference import support as reference

EVERY = [(agent, profile) for agent, profiles in PRESETS.items() for profile in profiles]


@pytest.mark.parametrize(("agent", "profile"), EVERY)
def test_a_preset_is_possible_and_survives_json(agent: str, profile: str):
    built = preset(agent, profile)
    assert built.agent == agent
    assert profile in SEEDS
    assert built.training.checkpoints[-1] == built.training.steps
    assert Config.from_dict(json.loads(json.dumps(built.to_dict()))) == built


def test_the_study_is_the_paper_preset():
    built = preset("cartpole", "paper")
    assert SEEDS["paper"] == 30
    t, s = built.training, built.search
    assert (t.steps, t.unroll_steps) == (100_000, 10)
    assert (t.temperatures, t.temperature_changes) == ((1, 0.5, 0.25), (0.5, 0.75))
    assert (s.simulations, s.discount, s.c1, s.c2, s.dirichlet_fraction) == (50, 0.997, 1.25, 19652, 0.25)
    assert 2_000 in t.checkpoints  # Figure 6


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


@pytest.mark.parametrize(("agent", "profile"), EVERY)
def test_no_value_saturates(agent: str, profile: str):
    nets = preset(agent, profile).nets
    for (low, high), atoms in (
        (VALUES[agent], (nets.value_low, nets.value_high)),
        (REWARDS[agent], (nets.reward_low, nets.reward_high)),
    ):
        assert atoms[0] <= reference.scale(low) and reference.scale(high) < atoms[1]


@pytest.mark.parametrize(
    ("step", "temperature"), [(0, 1.0), (499, 1.0), (500, 0.5), (749, 0.5), (750, 0.25), (1000, 0.25)]
)
def test_temperature_falls_at_half_and_three_quarters(step: int, temperature: float):
    training = dataclasses.replace(TrainingConfig(), steps=1000, checkpoints=(0,))
    assert training.temperature(step) == temperature


def test_learning_rate_falls_exponentially():
    training = TrainingConfig(steps=1000, checkpoints=(0,), learning_rate=1e-2, learning_rate_end=1e-4)
    assert training.learning_rate_at(0) == 1e-2
    assert training.learning_rate_at(500) == pytest.approx(1e-3, rel=1e-12)
    assert training.learning_rate_at(1000) == pytest.approx(1e-4, rel=1e-12)


def test_beta_rises_linearly():
    training = TrainingConfig(steps=1000, checkpoints=(0,), priority_beta_start=0.4, priority_beta_end=1.0)
    assert [training.priority_beta(s) for s in (0, 500, 1000)] == pytest.approx([0.4, 0.7, 1.0], rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (SearchConfig, {"simulations": 0}, "search.simulations is 0"),
        (SearchConfig, {"discount": 0.0}, "search.discount is 0.0"),
        (SearchConfig, {"discount": 1.001}, "search.discount is 1.001"),
        (SearchConfig, {"c2": 0.0}, "search.c2 is 0.0"),
        (SearchConfig, {"dirichlet_alpha": 0.0}, "search.dirichlet_alpha is 0.0"),
        (SearchConfig, {"dirichlet_fraction": 1.1}, "search.dirichlet_fraction is 1.1"),
        (NetsConfig, {"latent": 0}, "nets.latent is 0"),
        (NetsConfig, {"hidden": -1}, "nets.hidden is -1"),
        (NetsConfig, {"value_low": 5, "value_high": 5}, "nets.value_high is 5"),
        (NetsConfig, {"reward_low": 3}, "nets.reward_high is 2"),
        (TrainingConfig, {"steps": 0}, "training.steps is 0"),
        (TrainingConfig, {"batch_size": 1}, "training.batch_size is 1"),
        (TrainingConfig, {"unroll_steps": 0}, "training.unroll_steps is 0"),
        (TrainingConfig, {"n_step": 0}, "training.n_step is 0"),
        (TrainingConfig, {"environments": 0}, "training.environments is 0"),
        (TrainingConfig, {"checkpoints": (0, 100_001)}, "training.checkpoints"),
        (TrainingConfig, {"checkpoints": (5, 5)}, "training.checkpoints"),
        (TrainingConfig, {"checkpoints": (5, 4)}, "training.checkpoints"),
        (TrainingConfig, {"n_step": 7, "unroll_steps": 5, "warmup_slots": 12}, r"warmup_slots is 12.*\(12\)"),
        (TrainingConfig, {"warmup_slots": 99, "replay_slots": 98}, "training.replay_slots is 98"),
        (TrainingConfig, {"updates_per_environment_step": 0.0}, "training.updates_per_environment_step"),
        (TrainingConfig, {"priority_alpha": -0.1}, "training.priority_alpha"),
        (TrainingConfig, {"priority_beta_end": 1.1}, "training.priority_beta_end"),
        (TrainingConfig, {"reanalyse_fraction": 1.1}, "training.reanalyse_fraction"),
        (TrainingConfig, {"learning_rate": 0.0}, "training.learning_rate is 0.0"),
        (TrainingConfig, {"gradient_norm": 0.0}, "training.gradient_norm"),
        (TrainingConfig, {"weight_decay": -1.0}, "training.weight_decay"),
        (TrainingConfig, {"temperatures": (1.0, 0.5)}, "training.temperatures"),
        (TrainingConfig, {"temperatures": (1.0, 0.5, 0.0)}, "training.temperatures"),
        (TrainingConfig, {"temperature_changes": (0.75, 0.5)}, "training.temperature_changes"),
    ],
)
def test_impossible_settings_are_refused(kind: type, wrong: dict, message: str):
    with pytest.raises(ValueError, match=message):
        kind(**wrong)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().search.simulations = 3  # pyright: ignore


@pytest.mark.parametrize("section", ["nets", "search", "training"])
def test_unknown_and_missing_names_are_refused(section: str):
    written = Config().to_dict()
    name = next(iter(written[section]))
    written[section]["surprise"] = 1
    with pytest.raises(ValueError, match=f"{section}.*surprise"):
        Config.from_dict(written)
    del written[section]["surprise"], written[section][name]
    with pytest.raises(ValueError, match=f"{section}.*{name}"):
        Config.from_dict(written)


@pytest.mark.parametrize("name", ["agent", "environment", "nets", "training"])
def test_a_missing_part_is_refused(name: str):
    written = Config().to_dict()
    del written[name]
    with pytest.raises(ValueError, match=name):
        Config.from_dict(written)


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="optimiser"):
        Config.from_dict(Config().to_dict() | {"optimiser": {}})


def test_from_dict_refuses_impossible_values():
    written = Config().to_dict()
    written["search"]["simulations"] = 0
    with pytest.raises(ValueError, match=r"search\.simulations is 0"):
        Config.from_dict(written)


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="'chess' is unknown: cartpole"):
        preset("chess", "paper")
    with pytest.raises(ValueError, match="'huge' is unknown for cartpole: smoke"):
        preset("cartpole", "huge")
