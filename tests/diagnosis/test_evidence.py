"""Is what metrics say of a seed computed as documented, and does evidence say what it lacks?"""

import math

import numpy as np
import pytest

from muzero_probe.config import TrainingConfig
from muzero_probe.diagnosis.evidence import Evidence, Measured, of_metrics
from muzero_probe.diagnosis.rules import RULES, findings, not_judged

TRAINING = TrainingConfig(batch_size=10, unroll_steps=4)
STEPS = np.arange(100.0, 1001, 100)  # the last two are late: beyond 750 are 800, 900 and 1,000
USUAL = {
    "return_mean": 20.0, "episodes": 4.0, "reward_loss": 0.1, "value_loss": 1.0, "policy_loss": 0.5,
    "gradient_norm": 2.0, "skipped": 0.0, "action_share": 0.4, "in_play_share": 0.95, "prior_entropy": 1.0,
    "search_entropy": 0.8, "disagreement": 0.2, "rewarded": 30.0, "reward_recall": 0.9, "terminations": 4.0,
    "idle_episodes": 0.0, "return_states": 40.0, "return_level": 10.0, "return_spread": 4.0, "return_explained": 0.6,
    "replay_terminations": 0.1, "replay_effective": 0.7,
}  # fmt: skip


def columns(**changes: float | list[float]) -> dict[str, np.ndarray]:
    """Ten sets of metrics of a sound seed; a list is the end of a column."""
    found = {"step": STEPS, "seed": np.zeros(len(STEPS))}
    found |= {name: np.full(len(STEPS), value) for name, value in USUAL.items()}
    for name, values in changes.items():
        if isinstance(values, list):
            found[name][-len(values) :] = values
        else:
            found[name][:] = values
    return found


def names(**changes: float | list[float]) -> set[str]:
    return {finding.name for finding in findings(of_metrics(columns(**changes), TRAINING))}


def test_a_sound_seed_has_nothing():
    evidence = of_metrics(columns(), TRAINING)
    assert findings(evidence) == []
    assert not_judged(evidence) == {"saturated value head": "no checkpoint was watched"}


# the smallest change on either side of every threshold
SIGNS = {
    "collapsed policy": ({"action_share": [0.8, 1.0, 0.9]}, {"action_share": [0.8, 1.0, 0.89]}),
    "waits": ({"in_play_share": [0.9, 0.3, 0.29]}, {"in_play_share": [0.9, 0.3, 0.31]}),
    "waits for the time limit": ({"idle_episodes": [0.0, 3.0, 3.0]}, {"idle_episodes": [4.0, 0.0, 1.0]}),
    "prior and search differ": ({"disagreement": [0.5, 0.6, 0.4]}, {"disagreement": [0.4, 0.6, 0.4]}),
    "replay without terminations": ({"replay_terminations": [0.02]}, {"replay_terminations": [0.0, 0.026]}),
    "unexplained returns": ({"return_explained": [0.0, 0.1, 0.0]}, {"return_explained": [0.0, 0.2, 0.0]}),
    "rewards not foreseen": ({"reward_recall": [0.4] * 3}, {"reward_recall": [0.4, 0.5, 0.61]}),
    "exploding losses": ({"policy_loss": [14.9, 0.5]}, {"policy_loss": [14.8, 0.5]}),
    "exploding gradients": ({"gradient_norm": [20.0, 2.0, 2.0]}, {"gradient_norm": [19.9, 2.0, 2.0]}),
    "gradients that are not finite": ({"skipped": [1.0] + [0.0] * 9}, {"skipped": 0.0}),
    "exploding priorities": ({"replay_effective": [0.04]}, {"replay_effective": [0.04, 0.06]}),
}


@pytest.mark.parametrize("name", SIGNS)
def test_a_sign_is_seen_at_its_threshold_and_not_before(name: str):
    over, under = SIGNS[name]
    assert names(**over) == {name}
    assert names(**under) == set()


def test_every_rule_is_tried():
    assert {*SIGNS, "saturated value head"} == {rule.name for rule in RULES}


def test_only_the_last_quarter_counts():
    assert names(action_share=[1.0] * 7 + [0.5] * 3) == set()


def test_saturation():
    for mass, found in ((0.1, ["saturated value head"]), (0.09, [])):
        evidence = Evidence(known={"saturated": Measured(mass, "in 3 episodes")})
        assert [finding.name for finding in findings(evidence)] == found


def test_a_sentence_has_the_number_and_where_it_comes_from():
    (finding,) = findings(of_metrics(columns(action_share=0.95), TRAINING))
    assert finding.sentence == "one action is 95 % of all decisions (while training, steps 700 to 1,000)"
    assert "root noise" in finding.helps


def test_explained_variance_is_pooled_over_sets_of_metrics():
    """Two thirds of the states have a spread of 1, of which nothing is explained; one third 3, explained by 0.9."""
    evidence = of_metrics(
        columns(
            return_states=[200.0, 0.0, 100.0], return_level=[5.0, math.nan, 5.0], return_spread=[1.0, math.nan, 3.0],
            return_explained=[0.0, math.nan, 0.9],
        ), TRAINING,
    )  # fmt: skip
    assert evidence.known["explained"].value == pytest.approx(1 - (200 * 1 + 100 * 9 * 0.1) / (200 * 1 + 100 * 9))


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({"in_play_share": math.nan}, "waits", "the environment does not say whether the game is on"),
        ({"episodes": 0.0}, "waits for the time limit", "no episode ended"),
        ({"rewarded": 6.0}, "rewards not foreseen", "18 late decisions brought a reward, 20 are needed"),
        ({"return_states": 16.0}, "unexplained returns", "the returns of 48 late states became known, 50 are needed"),
        ({"return_spread": 0.4}, "unexplained returns", "late returns hardly differ: there is nothing to explain"),
        ({"return_spread": 0.0}, "unexplained returns", "late returns hardly differ: there is nothing to explain"),
        ({"replay_terminations": 0.0}, "replay without terminations", "no episode has ever terminated"),
        ({"replay_effective": math.nan}, "exploding priorities", "nothing could be drawn from replay"),
        ({"value_loss": math.nan}, "exploding losses", "the metrics have no such numbers"),
    ],
)
def test_what_cannot_be_judged_says_why(changes: dict[str, float], name: str, why: str):
    evidence = of_metrics(columns(**changes), TRAINING)
    assert not_judged(evidence)[name] == why
    assert findings(evidence) == []


def test_metrics_of_an_earlier_version():
    old = {name: columns()[name] for name in ("step", "seed", "return_mean", "episodes", "value_loss", "gradient_norm")}
    evidence = of_metrics(old | {"value_loss": np.where(STEPS == 900, 30.0, 1.0)}, TRAINING)
    assert [finding.name for finding in findings(evidence)] == ["exploding losses"]
    lacking = not_judged(evidence)
    assert lacking["collapsed policy"] == "the metrics have no column action_share: an earlier version wrote them"
    assert {"collapsed policy", "waits", "unexplained returns", "gradients that are not finite"} <= lacking.keys()


def test_a_first_set_of_metrics():
    evidence = of_metrics({name: column[:1] for name, column in columns(action_share=1.0).items()}, TRAINING)
    assert [finding.name for finding in findings(evidence)] == ["collapsed policy"]
    assert "while training, steps 0 to 100" in findings(evidence)[0].sentence
    assert not_judged(evidence)["exploding losses"] == "there are fewer than 4 sets of metrics to compare with"


def test_metrics_go_before_episodes():
    told = Evidence(known={"action_share": Measured(0.3, "a")}, unknown={"disagreement": "x", "in_play_share": "y"})
    seen = Evidence(known={"action_share": Measured(0.9, "b"), "disagreement": Measured(0.1, "b")})
    both = told.over(seen)
    assert both.known == {"action_share": Measured(0.3, "a"), "disagreement": Measured(0.1, "b")}
    assert both.unknown == {"in_play_share": "y"}
