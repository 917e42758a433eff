"""What is known of a seed? Numbers of its metrics, and of a few episodes of its last checkpoint.

Metrics are read over the last quarter of what was trained, where they say how the agent is now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from muzero_probe.config import TrainingConfig

LATE = 0.25  # share of the steps that counts as now: shorter, and an episode of ALE (3,000 decisions) may not end in it
LEAST_BEFORE = 4  # sets of metrics that must lie before, to tell a growth
LEAST_REWARDS = 20  # rewarded decisions, to tell a share of them
LEAST_RETURNS = 50  # returns met, to tell a variance
LEAST_SPREAD = 0.05  # of returns, by their mean: of alike ones there is nothing to explain
LOSSES = "_loss"  # how the names of their columns end


class Measured(NamedTuple):
    """A number, and where it comes from."""

    value: float
    where: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a seed, and why the rest is not, by the names that rules ask for."""

    known: dict[str, Measured] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def over(self, other: "Evidence") -> "Evidence":
        """Returns both, this one's numbers before the other's."""
        known = other.known | self.known
        unknown = {name: why for name, why in (other.unknown | self.unknown).items() if name not in known}
        return Evidence(known=known, unknown=unknown)


class _Course:
    """Columns of metrics, the late rows, and what is found out of them."""

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self.columns = columns
        steps = columns["step"]
        self.late = steps > (1 - LATE) * steps[-1]
        self.late[-1] = True
        first = steps[~self.late][-1] if (~self.late).any() else 0
        self.where = f"while training, steps {int(first):,} to {int(steps[-1]):,}"
        self.now = f"at step {int(steps[-1]):,}"
        self.evidence = Evidence()

    def has(self, name: str, *columns: str) -> bool:
        """Whether the columns are there; says so where they are not."""
        if lacking := [column for column in columns if column not in self.columns]:
            what = f"the metrics have no column {lacking[0]}: an earlier version wrote them"
            self.evidence.unknown[name] = what
        return not lacking

    def say(self, name: str, value: float, where: str, otherwise: str) -> None:
        """Notes a number, or why there is none."""
        if np.isfinite(value):
            self.evidence.known[name] = Measured(float(value), where)
        else:
            self.evidence.unknown[name] = otherwise

    def mean(self, name: str, otherwise: str) -> None:
        """Notes a column's late mean."""
        if self.has(name, name):
            late = self.columns[name][self.late]
            late = late[np.isfinite(late)]
            self.say(name, late.mean() if late.size else np.nan, self.where, otherwise)

    def total(self, name: str) -> float:
        """Returns a column's late sum."""
        return float(np.nansum(self.columns[name][self.late]))


def of_metrics(columns: Mapping[str, np.ndarray], training: TrainingConfig) -> Evidence:
    """Returns what a seed's metrics say.

    Args:
        columns: [rows] each, in order of steps, with "step" among them; see `runs.metrics`.
        training: how it was trained.
    """
    course = _Course(columns)
    course.mean("action_share", "no decision was counted")
    course.mean("in_play_share", "the environment does not say whether the game is on")
    course.mean("disagreement", "no decision was counted")
    if course.has("idle_share", "idle_episodes", "episodes"):
        ended = course.total("episodes")
        share = course.total("idle_episodes") / ended if ended else np.nan
        course.say("idle_share", share, course.where, "no episode ended")
    if course.has("reward_recall", "reward_recall", "rewarded"):
        _recall(course)
    if course.has("explained", "return_states", "return_level", "return_spread", "return_explained"):
        _explained(course)
    if course.has("terminations", "replay_terminations"):
        shares = columns["replay_terminations"]
        ends = shares[-1] * training.batch_size * training.unroll_steps if (shares > 0).any() else np.nan
        course.say("terminations", ends, course.now, "no episode has ever terminated")
    if course.has("effective", "replay_effective"):
        course.say("effective", columns["replay_effective"][-1], course.now, "nothing could be drawn from replay")
    losses = [column for name, column in columns.items() if name.endswith(LOSSES)]
    _growth(course, "loss_growth", np.sum(losses, 0) if losses else None)
    _growth(course, "gradient_growth", columns.get("gradient_norm"))
    if course.has("skipped", "skipped"):
        course.say("skipped", float(np.nansum(columns["skipped"])), f"until step {int(columns['step'][-1]):,}", "")
    return course.evidence


def _recall(course: _Course) -> None:
    rewarded = course.total("rewarded")
    foreseen = np.nansum((course.columns["reward_recall"] * course.columns["rewarded"])[course.late])
    enough = rewarded >= LEAST_REWARDS
    why = f"{rewarded:.0f} late decisions brought a reward, {LEAST_REWARDS} are needed"
    course.say("reward_recall", foreseen / rewarded if enough else np.nan, course.where, why)


def _explained(course: _Course) -> None:
    """Pools what is explained within each set of metrics."""
    names = ("return_states", "return_level", "return_spread", "return_explained")
    states, level, spread, explained = (course.columns[name][course.late] for name in names)
    sound = np.isfinite(level) & np.isfinite(spread) & (states > 0)
    if states[sound].sum() < LEAST_RETURNS:
        why = f"the returns of {states[sound].sum():.0f} late states became known, {LEAST_RETURNS} are needed"
        course.say("explained", np.nan, "", why)
        return
    weight = (states * spread**2)[sound]
    typical = np.sqrt(weight.sum() / states[sound].sum())
    least = LEAST_SPREAD * abs(np.average(level[sound], weights=states[sound]))
    if typical == 0 or typical < least:
        course.say("explained", np.nan, "", "late returns hardly differ: there is nothing to explain")
        return
    missing = np.where(weight > 0, 1 - explained[sound], 0.0)
    course.say("explained", 1 - np.nansum(weight * missing) / weight.sum(), course.where, "")


def _growth(course: _Course, name: str, values: np.ndarray | None) -> None:
    """Notes the largest late number by the median of those before."""
    before = np.array([]) if values is None else values[~course.late]
    if values is None or before.size < LEAST_BEFORE:
        course.say(name, np.nan, "", f"there are fewer than {LEAST_BEFORE} sets of metrics to compare with")
        return
    late = values[course.late]
    usual = np.nanmedian(before) if np.isfinite(before).any() else np.nan
    growth = np.nanmax(late) / usual if np.isfinite(late).any() and usual > 0 else np.nan
    course.say(name, growth, course.where, "the metrics have no such numbers")
