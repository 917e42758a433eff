"""Does the command line take every setting, with the defaults of the agent and the profile?"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from muzero_probe import agents
from muzero_probe.cli.seeds import parse_seeds, show_seeds
from muzero_probe.nets import loss
from tests.agents import own
from tests.cli.words import SMOKE, parsed

EVERY = [(name, profile) for name in agents.names() for profile in agents.load(name).profiles]


@pytest.mark.parametrize(("name", "profile"), EVERY)
def test_defaults_are_the_profile_s(name: str, profile: str):
    agent = agents.load(name)
    run = parsed("train", name, "--profile", profile)
    assert run.agent is agent
    assert run.config == agent.config(profile)
    assert run.profile == profile
    assert run.seeds == tuple(range(agent.profile(profile).seeds))
    assert (run.root, run.device) == (Path("checkpoints"), "cpu")


def test_the_profile_is_quick_by_default(tmp_path: Path):
    assert parsed("train", "cartpole") == parsed("train", "cartpole", "--profile=quick")
    assert parsed("train", own.write(tmp_path)).profile == "smoke"  # it has no other


@pytest.mark.parametrize(
    "words", ["--agent minatar --seeds 3", "--seeds 3 --agent=minatar", "--seeds 3 minatar", "minatar --seeds=3"]
)
def test_the_agent_may_stand_anywhere(words: str):
    assert parsed("train", *words.split()) == parsed("train", "minatar", "--seeds", "3")


def spelt(value: Any) -> list[str]:
    """The words for a value."""
    if isinstance(value, dict):
        return [str(x) for item in value.items() for x in item]
    return [str(x) for x in value] if isinstance(value, tuple) else [str(value)]


@pytest.mark.parametrize("section", ["nets", "search", "training"])
def test_every_setting_can_be_given(section: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(loss.TERMS, "consistency", loss.value_loss)
    default = getattr(agents.load("cartpole").config("smoke"), section)
    special: dict[str, Any] = {
        "value_low": -1, "reward_low": -3, "discount": 0.9, "checkpoints": (0, 10), "temperatures": (0.9, 0.5),
        "temperature_changes": (0.25,), "dirichlet_fraction": 0.5, "priority_alpha": 0.25,
        "priority_beta_start": 0.5, "priority_beta_end": 0.75, "reanalyse_fraction": 0.5, "revalue_fraction": 0.5,
        "rule": "efficientzero", "loss_terms": {"consistency": 2.0},
    }  # fmt: skip
    before = {field.name: getattr(default, field.name) for field in dataclasses.fields(default)}
    changes = {name: special[name] if name in special else value * 2 for name, value in before.items()}
    assert all(changes[name] != before[name] for name in before)
    words = list(SMOKE)
    for name, value in changes.items():
        words += [f"--{section}.{name.replace('_', '-')}", *spelt(value)]
    assert getattr(parsed(*words).config, section) == dataclasses.replace(default, **changes)


def test_an_override_is_checked_against_the_profile():
    # 30 steps would not hold the checkpoints of another profile
    assert parsed(*SMOKE, "--training.checkpoints", "0", "30", "--training.steps", "30").config.training.steps == 30


def test_a_folder_may_be_called_like_an_agent():
    assert parsed("train", "--root", "cartpole", "cartpole").root == Path("cartpole")
    assert parsed("train", "--root", "minatar", "cartpole") == parsed("train", "cartpole", "--root", "minatar")
    assert parsed("train", "--root", "runs.py", "cartpole") == parsed("train", "cartpole", "--root", "runs.py")


def test_a_folder_may_be_called_like_a_command():
    assert parsed("train", "--agent", "cartpole", "--root", "train").root == Path("train")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0:3", (0, 1, 2)), ("3", (3,)), ("0,4,7", (0, 4, 7)), ("7,4", (4, 7)), ("0:2,9,4:6", (0, 1, 4, 5, 9))],
)
def test_seeds(text: str, seeds: tuple[int, ...]):
    assert parse_seeds(text) == seeds
    assert parse_seeds(show_seeds(seeds)) == seeds
    assert parsed(*SMOKE, "--seeds", text).seeds == seeds


def test_seeds_are_shown_shortly():
    assert show_seeds([9, 0, 1, 4, 2]) == "0:3,4,9"
    assert show_seeds([]) == ""


@pytest.mark.parametrize("text", ["", "a", "-1", "1:", ":3", "3:3", "5:2", "1,1", "0:3,2", "1.5", "0:2000000", "0 1"])
def test_impossible_seeds(text: str):
    with pytest.raises(ValueError, match=r"^seeds '.*: "):
        parse_seeds(text)
