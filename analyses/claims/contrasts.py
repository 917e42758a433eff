"""The primary contrast of each claim, formed within the seeds of one agent: per checkpoint, and in one number.

Trained checkpoints are those from 1 % of training on. Budgets of 16 and more simulations count: with fewer, a planner
under the uniform prior has hardly tried every action twice and plays alike in every model.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analyses import stats

TRAINED_FROM = 0.01  # of training
EARLY_TO = 0.1  # of training
LEAST_BUDGET = 16  # simulations

Frame = Any  # pd.DataFrame, whose methods' types are too wide to be checked
Tables = Mapping[str, Frame]


class NotMeasured(Exception):
    """Why a claim's contrast cannot be formed of an agent's tables; a clause."""


class Measured(NamedTuple):
    """A contrast of one agent; a NaN is a seed without a measurement."""

    by_step: Frame  # [seed, step] at every checkpoint of the table
    pooled: tuple[int, ...]  # steps that the primary number is made of
    primary: Frame  # [seed]


def measure(claim: str, tables: Tables) -> Measured:
    """Forms a claim's contrast.

    Args:
        claim: a name of `sentences.CLAIMS` with a contrast that is measured.
        tables: of one agent, by name; the claim's own must be there.

    Raises:
        NotMeasured: if a table lacks checkpoints or simulations that the contrast needs.
        TableError: if a table lacks columns, or rows are not what they should be.
    """
    by_step, pooled, primary = CONTRASTS[claim](tables)
    if not pooled:
        raise NotMeasured("no checkpoint of the table is one that the claim is about")
    return Measured(by_step, tuple(pooled), primary)


Formed = tuple[Frame, list[int], Frame]  # by step, pooled steps, primary


def _mean(by_step: Frame, steps: list[int]) -> Formed:
    return by_step, steps, by_step[steps].mean(axis=1, skipna=False)


def _training(table: Frame) -> int:
    steps = table.attrs.get("provenance", {}).get("training_steps")
    return int(table["step"].max() if steps is None else steps)


def _trained(table: Frame) -> list[int]:
    """Checkpoints from 1 % of training on."""
    return [s for s in _steps(table) if s > 0 and s >= TRAINED_FROM * _training(table)]


def _steps(table: Frame) -> list[int]:
    return sorted(int(s) for s in table["step"].unique())


def temperature(table: Frame, step: int) -> float:
    """T of pi_MuZero at a checkpoint, from the table's provenance.

    Raises:
        NotMeasured: if it does not say.
    """
    changes = table.attrs.get("provenance", {}).get("temperatures")
    if not changes:
        raise NotMeasured("the table does not say at which temperatures the agents act")
    return float([t for start, t in changes if step >= start][-1])


def _log(values: Frame) -> Frame:
    """Logarithms; an error of exactly 0 has none."""
    return np.log(values.where(values > 0))


def _gain_of_search(tables: Tables) -> Formed:
    table = tables["returns"]
    by = stats.by_seed(table, "return_mean", ["policy", "step"])
    return _mean(_at(by, "search") - _at(by, "prior"), [s for s in _trained(table) if temperature(table, s) == 1])


def _growth(tables: Tables) -> Formed:
    table = tables["own_policy"]
    by = _log(stats.by_seed(table, "error", ["horizon", "step"]))
    return _mean(_at(by, _longest(table)) - _at(by, 1), _trained(table))


def _fall(tables: Tables) -> Formed:
    table = tables["own_policy"]
    error = _at(stats.by_seed(table, "error", ["horizon", "step"]), _longest(table))
    last = _steps(table)[-1]
    reference = [s for s in _trained(table) if s < last and temperature(table, s) == 1][-1:]
    if not reference:
        return error, [], error[last]
    by_step = error.sub(error[reference[0]], axis=0)
    return by_step, [last], by_step[last]


def _concentration(table: Frame) -> Frame:
    """log of the plain mean of eq 5 over all sequences, over its mean weighted by their probabilities, [seed, step]."""
    error = stats.by_seed(table, "error", ["step", "rank"])
    probability = stats.by_seed(table, "probability", ["step", "rank"])
    plain = error.T.groupby(level="step").mean().T
    weighted = (error * probability).T.groupby(level="step").sum().T / probability.T.groupby(level="step").sum().T
    return _log(plain) - _log(weighted)


def _likelier(tables: Tables) -> Formed:
    return _mean(_concentration(tables["sequences"]), _trained(tables["sequences"]))


def _sharpening(tables: Tables) -> Formed:
    found = _concentration(tables["sequences"])
    first, last = _steps(tables["sequences"])[0], _steps(tables["sequences"])[-1]
    by_step = found.sub(found[first], axis=0)
    return by_step, [last] if last > first else [], by_step[last]


def _cross(tables: Tables) -> tuple[Frame, Frame]:
    """The rows of the longest horizon, and log errors [seed, (step, policy_step)]."""
    table = tables["cross_checkpoint"]
    longest = table.loc[table["horizon"] == _longest(table)]
    return longest, _log(stats.by_seed(longest, "error", ["step", "policy_step"]))


def _diagonal(tables: Tables) -> Formed:
    table, errors = _cross(tables)
    steps = _trained(table)
    n = len(steps)
    if n < 2:
        return errors, [], errors.iloc[:, 0]
    matrices = errors.loc[:, [(a, b) for a in steps for b in steps]].to_numpy().reshape(-1, n, n)
    centred = matrices - matrices.mean(1, keepdims=True) - matrices.mean(2, keepdims=True)
    centred += matrices.mean((1, 2), keepdims=True)
    return _mean(pd.DataFrame(np.diagonal(centred, axis1=1, axis2=2), errors.index, steps), steps)


def _late_policies(tables: Tables) -> Formed:
    table, errors = _cross(tables)
    last = _steps(table)[-1]
    by_step = pd.DataFrame({s: errors[s, last] - errors[s, s] for s in _steps(table) if s < last}, errors.index)
    return _mean(by_step, [s for s in by_step if 0 < s <= EARLY_TO * _training(table)])


class _Planned(NamedTuple):
    """Returns of planners."""

    table: Frame
    returns: Frame  # [seed, (model, prior, simulations, step)]
    budgets: list[int]  # of `LEAST_BUDGET` simulations and more
    fewest: int  # simulations above the number of actions

    def at(self, model: str, prior: str, budget: int) -> Frame:
        """Returns [seed, step] of one planner."""
        return _at(self.returns, model, prior, budget)

    def mean(self, model: str, prior: str) -> Frame:
        """The mean over the budgets."""
        return sum(self.at(model, prior, budget) for budget in self.budgets) / len(self.budgets)

    def gain(self, model: str, prior: str) -> Frame:
        """The mean over the budgets less the return with the fewest simulations."""
        return self.mean(model, prior) - self.at(model, prior, self.fewest)

    def slope(self, model: str, prior: str) -> Frame:
        """Least squares over the budgets, per doubling of the simulations."""
        doublings = np.log2(self.budgets) - np.mean(np.log2(self.budgets))
        weighted = zip(doublings / (doublings @ doublings), self.budgets, strict=True)
        return sum(weight * self.at(model, prior, budget) for weight, budget in weighted)


def _planned(tables: Tables, *, slope: bool = False, gain: bool = False) -> _Planned:
    table = tables["planning"]
    searched = table.loc[table["model"] != "no search"]
    every = sorted(int(b) for b in searched["simulations"].unique())
    budgets = [b for b in every if b >= LEAST_BUDGET]
    if len(budgets) < 1 + slope:
        needed = "two budgets" if slope else "some"
        raise NotMeasured(f"planners have {every} simulations, needed are {needed} of 16 and more")
    actions = table.attrs.get("provenance", {}).get("actions")
    few = [b for b in every if actions is not None and actions < b < LEAST_BUDGET]
    if gain and not few:
        raise NotMeasured("no planner has fewer than 16 simulations and more than there are actions")
    by = stats.by_seed(searched, "return_mean", ["model", "prior", "simulations", "step"])
    return _Planned(table, by, budgets, few[0] if few else 0)


def _free(tables: Tables) -> Formed:
    p = _planned(tables)
    return _mean(p.mean("real", "uniform") - p.mean("learned", "uniform"), _steps(p.table))


def _guided(tables: Tables) -> Formed:
    p = _planned(tables, gain=True)
    return _mean(p.gain("learned", "policy"), _steps(p.table))


def _guided_less(tables: Tables) -> Formed:
    p = _planned(tables, gain=True)
    return _mean(p.gain("real", "policy") - p.gain("learned", "policy"), _steps(p.table))


def _gap(tables: Tables) -> Formed:
    p = _planned(tables)
    gaps = [p.mean(model, "policy") - p.mean(model, "uniform") for model in ("learned", "real")]
    return _mean(gaps[0] - gaps[1], _steps(p.table))


def _gap_slope(tables: Tables) -> Formed:
    p = _planned(tables, slope=True)
    slopes = [p.slope(model, "policy") - p.slope(model, "uniform") for model in ("learned", "real")]
    return _mean(slopes[0] - slopes[1], _steps(p.table))


def _outperforms(tables: Tables) -> Formed:
    p = _planned(tables)
    alone = prior_alone(tables).reindex(p.returns.index)
    return _mean(p.mean("learned", "policy") - alone[_steps(p.table)], _steps(p.table))


def _supports_free(tables: Tables) -> Formed:
    p = _planned(tables, gain=True)
    return _mean(p.gain("learned", "uniform"), _trained(p.table))


def prior_alone(tables: Tables) -> Frame:
    """Returns [seed, step] of the prior alone: those of Figure 2, of more episodes, where there is that table."""
    if "returns" in tables:
        return _at(stats.by_seed(tables["returns"], "return_mean", ["policy", "step"]), "prior")
    table = tables["planning"]
    return stats.by_seed(table.loc[table["model"] == "no search"], "return_mean", ["step"])


def _by_prior(tables: Tables, column: str) -> tuple[Frame, Frame]:
    """A column under the two priors, [seed, (simulations, step)] of 16 and more."""
    table = tables["prior_effect"]
    large = table.loc[table["simulations"] >= LEAST_BUDGET]
    if large.empty:
        raise NotMeasured("no search has 16 and more simulations")
    by = stats.by_seed(large, column, ["prior", "simulations", "step"])
    return _at(by, "uniform"), _at(by, "policy")


def _closer(tables: Tables) -> Formed:
    uniform, policy = _by_prior(tables, "tv")
    return _mean((uniform - policy).T.groupby(level="step").mean().T, _steps(tables["prior_effect"]))


def _smaller_errors(tables: Tables) -> Formed:
    uniform, policy = _by_prior(tables, "error")
    ratio = _log(uniform) - _log(policy)
    return _mean(ratio.T.groupby(level="step").mean().T, _steps(tables["prior_effect"]))


def _at(by: Frame, *levels: Any) -> Frame:
    """The columns under some values of the first levels.

    Raises:
        NotMeasured: if there are none.
    """
    try:
        return by[levels[0]] if len(levels) == 1 else by[levels]
    except KeyError:
        names = ", ".join(f"{name} {value}" for name, value in zip(by.columns.names, levels, strict=False))
        raise NotMeasured(f"the tables have no rows of {names}") from None


def _longest(table: Frame) -> int:
    return int(table["horizon"].max())


CONTRASTS: dict[str, Callable[[Tables], Formed]] = {
    "1": _gain_of_search,
    "2b": _growth,
    "3": _fall,
    "4": _likelier,
    "5": _sharpening,
    "6": _diagonal,
    "7": _late_policies,
    "8": _free,
    "9a": _guided,
    "9b": _guided_less,
    "10a": _gap,
    "10b": _gap_slope,
    "11a": _closer,
    "11b": _smaller_errors,
    "12": _outperforms,
    "13": _supports_free,
}
