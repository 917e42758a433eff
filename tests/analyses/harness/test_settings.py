"""Are impossible settings refused in one line?"""

import dataclasses
from typing import Any

import pytest

from analyses.harness import registry
from tests.analyses.studies import changed


@pytest.mark.parametrize(
    ("section", "changes", "says"),
    [
        ("bank", {"episodes": 0}, "bank.episodes is 0, at least 1 is needed"),
        ("bank", {"states": -1}, "bank.states is -1, at least 1 is needed"),
        ("returns", {"episodes": 0}, "returns.episodes is 0, at least 1 is needed"),
        ("own_policy", {"states": 0}, "own_policy.states is 0, at least 1 is needed"),
        ("own_policy", {"samples": 1}, "own_policy.samples is 1, it must be 0 (exact) or at least 2"),
        ("own_policy", {"samples": -2}, "own_policy.samples is -2, it must be 0 (exact) or at least 2"),
        ("sequences", {"states": 0}, "sequences.states is 0, at least 1 is needed"),
        ("sequences", {"length": 0}, "sequences.length is 0, at least 1 is needed"),
        ("sequences", {"steps": (60, 20)}, "sequences.steps is (60, 20): one or more values are needed, ascending"),
        ("sequences", {"steps": (-1, 20)}, "sequences.steps is (-1, 20): "),
        ("cross_checkpoint", {"states": 0}, "cross_checkpoint.states is 0, at least 1 is needed"),
        ("cross_checkpoint", {"samples": 1}, "cross_checkpoint.samples is 1, it must be 0 (exact) or at least 2"),
        ("prior_effect", {"states": 0}, "prior_effect.states is 0, at least 1 is needed"),
        ("prior_effect", {"horizon": 0}, "prior_effect.horizon is 0, at least 1 is needed"),
        ("prior_effect", {"step": -5}, "prior_effect.step is -5, it must be 0 or more"),
        ("prior_effect", {"budgets": ()}, "prior_effect.budgets is (): one or more values are needed"),
        ("prior_effect", {"budgets": (0, 2)}, "prior_effect.budgets is (0, 2): "),
        (
            "prior_effect",
            {"rules": ("muzero", "gumbel")},
            "prior_effect.rules has gumbel, there are muzero, efficientzero",
        ),
        ("planning", {"rules": ("puct",)}, "planning.rules has puct, there are muzero, efficientzero"),
        ("planning", {"episodes": 0}, "planning.episodes is 0, at least 1 is needed"),
        ("planning", {"seeds": -1}, "planning.seeds is -1, it must be 0 (all) or more"),
        ("planning", {"horizon": 0}, "planning.horizon is 0, at least 1 is needed"),
        ("planning", {"budgets": (4, 4)}, "planning.budgets is (4, 4): one or more values are needed, ascending"),
        ("planning", {"budgets": ()}, "planning.budgets is (): one or more values are needed"),
        ("search_tree", {"seeds": -1}, "search_tree.seeds is -1, it must be 0 (all) or more"),
        ("search_tree", {"step": -5}, "search_tree.step is -5, it must be 0 or more"),
        ("search_tree", {"states": 0}, "search_tree.states is 0, at least 1 is needed"),
        ("search_tree", {"horizon": 0}, "search_tree.horizon is 0, at least 1 is needed"),
        ("search_tree", {"candidates": 1}, "search_tree.candidates is 1, search_tree.states is 2: no more trees "),
        ("planning", {"steps": (60, 60)}, "planning.steps is (60, 60): one or more values are needed, ascending"),
    ],
)
def test_impossible_settings(settings: Any, section: str, changes: dict[str, Any], says: str):
    with pytest.raises(ValueError) as caught:
        changed(settings, section, **changes)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


def test_an_impossible_shard(settings: Any):
    with pytest.raises(ValueError, match=r"^shard is 0, at least 1 is needed$"):
        dataclasses.replace(settings, shard=0)


def test_smallest_settings(settings: Any):
    changed(settings, "own_policy", states=1, samples=2)
    changed(settings, "sequences", states=1, length=1, steps=(0,))
    changed(settings, "planning", episodes=1, horizon=1, budgets=(1,), steps=(0,))
    changed(settings, "prior_effect", step=0, budgets=(1,))
    changed(settings, "search_tree", seeds=0, step=0, states=1, candidates=1, horizon=1)
    assert changed(settings, "sequences", steps=()).sequences.steps == ()  # all checkpoints
    assert changed(settings, "planning", steps=()).planning.steps == ()
    assert changed(settings, "prior_effect", step=None).prior_effect.step is None  # the last one


def test_a_setting_is_refused_wherever_it_is_given():
    with pytest.raises(ValueError, match=r"^own_policy\.samples is 1, it must be 0 \(exact\) or at least 2"):
        registry.settings({"own_policy": {"samples": 1}})
    with pytest.raises(ValueError, match=r"^bank\.states is 0, at least 1 is needed$"):
        registry.settings({"bank": {"states": 0}})
    with pytest.raises(ValueError, match=r"^shard is 0, at least 1 is needed$"):
        registry.settings({"shard": 0})
