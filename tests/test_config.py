"""Are impossible settings refused, schedules as the study states, and configs read back as written?"""

import dataclasses
import json
from typing import Any

import pytest

from muzero_probe import config as config_module
from muzero_probe.checkpoints import config_hash
from muzero_probe.config import (
    Config,
    ImageNetsConfig,
    NetsConfig,
    ResidualNetsConfig,
    SearchConfig,
    TrainingConfig,
)


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
        (
            SearchConfig,
            {"simulations": 10**20},
            "search.simulations is 100000000000000000000, at most 100,",
        ),
        (SearchConfig, {"c1": -5.0}, r"search.c1 is -5.0, it must lie in \[0, 1e6\]"),
        (SearchConfig, {"c1": float("nan")}, "search.c1 is nan"),
        (SearchConfig, {"c2": float("inf")}, "search.c2 is inf"),
        (SearchConfig, {"dirichlet_alpha": 1e-320}, r"search.dirichlet_alpha is 1e-320, it must lie in \[0.001, 1e6\]"),
        (SearchConfig, {"discount": 0.0}, "search.discount is 0.0"),
        (SearchConfig, {"discount": 1.001}, "search.discount is 1.001"),
        (SearchConfig, {"c2": 0.0}, "search.c2 is 0.0"),
        (SearchConfig, {"dirichlet_alpha": 0.0}, "search.dirichlet_alpha is 0.0"),
        (SearchConfig, {"dirichlet_fraction": 1.1}, "search.dirichlet_fraction is 1.1"),
        (NetsConfig, {"latent": 0}, "nets.latent is 0"),
        (NetsConfig, {"hidden": -1}, "nets.hidden is -1"),
        (NetsConfig, {"latent": 10**20}, "nets.latent is 100000000000000000000, at most 100,000 are possible"),
        (
            NetsConfig,
            {"value_low": -60_000, "value_high": 60_000},
            "nets.value_low and value_high are -60000 and 60000, more than",
        ),
        (NetsConfig, {"value_low": 5, "value_high": 5}, "nets.value_high is 5"),
        (NetsConfig, {"reward_low": 3}, "nets.reward_high is 2"),
        (ImageNetsConfig, {"latent": 0}, "nets.latent is 0"),
        (ImageNetsConfig, {"filters": 0}, "nets.filters is 0"),
        (ResidualNetsConfig, {"channels": 1}, "nets.channels is 1, at least 2"),
        (ResidualNetsConfig, {"shrinks": 4}, "nets.shrinks is 4, it must be 8 or 16"),
        (ResidualNetsConfig, {"head_hidden": 0}, "nets.head_hidden is 0"),
        (ResidualNetsConfig, {"value_high": -300}, "nets.value_high is -300"),
        (TrainingConfig, {"steps": 0}, "training.steps is 0"),
        (TrainingConfig, {"steps": 10**20}, "training.steps is 100000000000000000000, at most 1,000,000,000"),
        (TrainingConfig, {"batch_size": 10**20}, "training.batch_size is 100000000000000000000, at most 100,000"),
        (TrainingConfig, {"replay_slots": 10**20}, "training.replay_slots is 100000000000000000000, at most"),
        (TrainingConfig, {"updates_per_environment_step": 1e-300}, "training.updates_per_environment_step is 1e-300"),
        (TrainingConfig, {"learning_rate": 1e20}, r"training.learning_rate is 1e\+20, it must lie in \(0, 1\]"),
        (TrainingConfig, {"learning_rate_end": float("inf")}, "training.learning_rate_end is inf"),
        (TrainingConfig, {"value_weight": 1e38}, r"training.value_weight is 1e\+38, it must lie in \[0, 1e\+06\]"),
        (TrainingConfig, {"loss_terms": {"consistency": 1e38}}, r"loss_terms has consistency 1e\+38, it must lie in"),
        (TrainingConfig, {"temperature_changes": (-5.0, 0.5)}, r"temperature_changes .* must ascend within \[0, 1\]"),
        (TrainingConfig, {"temperature_changes": (0.5, 7.0)}, r"temperature_changes .* must ascend within \[0, 1\]"),
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
        (TrainingConfig, {"revalue_fraction": -0.1}, r"training.revalue_fraction is -0.1, it must lie in \[0, 1\]"),
        (SearchConfig, {"noise_steps": 0.5}, r"search.noise_steps is 0.5, it must lie in \[1, 1e6\]"),
        (TrainingConfig, {"learning_rate": 0.0}, "training.learning_rate is 0.0"),
        (TrainingConfig, {"gradient_norm": 0.0}, "training.gradient_norm"),
        (TrainingConfig, {"weight_decay": -1.0}, "training.weight_decay"),
        (TrainingConfig, {"loss_terms": {"consistency": float("inf")}}, "loss_terms has consistency inf"),
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


@pytest.mark.parametrize("nets", [NetsConfig(latent=8), ImageNetsConfig(filters=4), ResidualNetsConfig(channels=8)])
def test_configs_come_back_from_json(nets: Any):
    training = TrainingConfig(loss_terms={"consistency": 2.0}, checkpoints=(0, 7))
    config = Config(agent="mine", environment={"side": 48, "sticky": False}, nets=nets, training=training)
    written = json.loads(json.dumps(config.to_dict()))
    assert Config.from_dict(written, nets=type(nets)) == config


def test_nets_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"config section nets: \['filters'\] unknown or missing"):
        Config.from_dict(Config(nets=ImageNetsConfig()).to_dict())


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeeperNets(NetsConfig):
    """Nets that got fields after populations of `NetsConfig` were published."""

    layers: int = 1
    skips: tuple[int, ...] = dataclasses.field(default_factory=lambda: (2, 3))


OWN = (("nets", "layers"), ("nets", "skips"))
LATER = (*OWN, *config_module.LATER)


def test_a_later_field_leaves_old_files_and_hashes_as_they_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config_module, "LATER", LATER)
    old = json.loads(json.dumps(Config(nets=NetsConfig(latent=8)).to_dict()))
    now = Config(nets=DeeperNets(latent=8))
    assert Config.from_dict(old, nets=DeeperNets) == now
    assert now.to_dict() == Config(nets=NetsConfig(latent=8)).to_dict()
    assert config_hash(now.to_dict()) == config_hash(old)
    assert config_hash(dataclasses.asdict(now)) != config_hash(old)


@pytest.mark.parametrize("changed", [{"layers": 2}, {"skips": ()}])
def test_a_later_field_of_another_value_is_written_and_read(changed: dict, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config_module, "LATER", LATER)
    config = Config(nets=DeeperNets(**changed))
    written = json.loads(json.dumps(config.to_dict()))
    assert written["nets"].keys() - dataclasses.asdict(NetsConfig()).keys() == changed.keys()
    assert Config.from_dict(written, nets=DeeperNets) == config
    assert config_hash(written) != config_hash(Config(nets=DeeperNets()).to_dict())


def test_a_later_field_that_has_its_default_is_read_where_it_is_written(monkeypatch: pytest.MonkeyPatch):
    written = Config(nets=DeeperNets()).to_dict()
    assert written["nets"]["layers"] == 1
    monkeypatch.setattr(config_module, "LATER", LATER)
    assert Config.from_dict(written, nets=DeeperNets) == Config(nets=DeeperNets())


def test_a_later_field_is_one_of_its_section_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config_module, "LATER", (("search", "value_weight"), ("training", "latent"), *OWN))
    assert Config().to_dict() == dataclasses.asdict(Config())
    written = Config().to_dict()
    del written["training"]["value_weight"]
    with pytest.raises(ValueError, match=r"training.*value_weight"):
        Config.from_dict(written)


def test_later_fields_of_search_and_training(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config_module, "LATER", (("search", "c1"), ("training", "loss_terms"), *LATER))
    written = Config().to_dict()
    assert "c1" not in written["search"] and "loss_terms" not in written["training"]
    assert Config.from_dict(written) == Config()


def test_a_later_field_without_a_default_is_always_written(monkeypatch: pytest.MonkeyPatch):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Own(NetsConfig):
        layers: int

    monkeypatch.setattr(config_module, "LATER", LATER)
    written = Config(nets=Own(layers=1)).to_dict()
    assert written["nets"]["layers"] == 1
    del written["nets"]["layers"]
    with pytest.raises(ValueError, match=r"nets.*layers"):
        Config.from_dict(written, nets=Own)
