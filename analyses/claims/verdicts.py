"""From contrasts to verdicts, by one rule for all claims and agents.

    established    Holm's p < 0.05 over the agents of the claim, the 95 % interval leaves 0 out, and the contrast has
                   the claim's sign
    contradicted   the same, with the other sign
    equivalent     else, the 90 % interval lies within the smallest contrast that matters (two one-sided tests at 5 %)
    open           else
    not measured   there is no such table, checkpoint or planner, or one seed, or the claim waits for a measurement
    outside        the agents play too badly to count (docs/protocol.md)

p is that of exact sign flips. A verdict is *small* where the 90 % interval lies within what matters all the same, and
*mixed* where single checkpoints that it pools differ from 0 in both directions (Holm over them). All contrasts were
chosen after the committed tables had been seen (`sentences.SEEN`): of those agents they are exploratory, of all others
confirmatory.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analyses import stats
from analyses.claims.contrasts import Measured, NotMeasured, Tables, measure
from analyses.claims.sentences import CLAIMS, SEEN
from analyses.tables import Column

ESTABLISHED, CONTRADICTED, EQUIVALENT, OPEN = "established", "contradicted", "equivalent", "open"
NOT_MEASURED, OUTSIDE = "not measured", "outside"
SYMBOLS = {
    ESTABLISHED: "✓",
    CONTRADICTED: "✗",
    EQUIVALENT: "=",
    OPEN: "?",
    NOT_MEASURED: "–",
    OUTSIDE: "·",
}

PRIMARY, CHECKPOINT, DESCRIPTIVE = "primary", "checkpoint", "descriptive"
POOLED = -1  # step of what is made of several checkpoints

COLUMNS = {
    "claim": Column("word", "", "number of the claim, see docs/protocol.md"),
    "agent": Column("word", "", "agent"),
    "role": Column("word", "", "primary: judges the claim; checkpoint: the same at one; descriptive: judges nothing"),
    "quantity": Column("word", "", "what is averaged over seeds"),
    "unit": Column("word", "", "unit of the effect"),
    "step": Column("int", "updates", "training step; -1: pooled over those that the quantity names"),
    "effect": Column("float", "unit", "mean over seeds"),
    "low": Column("float", "unit", "lower end of the 95 % t interval"),
    "high": Column("float", "unit", "upper end"),
    "low90": Column("float", "unit", "lower end of the 90 % t interval"),
    "high90": Column("float", "unit", "upper end"),
    "bca_low": Column(
        "float", "unit", "lower end of the 95 % BCa bootstrap interval, of primary contrasts, from 10 seeds on"
    ),
    "bca_high": Column("float", "unit", "upper end"),
    "p": Column("float", "", "exact sign-flip test of 0, two-sided"),
    "p_holm": Column("float", "", "the same by Holm over the agents of the claim; of primary contrasts"),
    "detectable": Column("float", "unit", "smallest effect that so many seeds show with probability 0.8"),
    "margin": Column("float", "unit", "smallest contrast that matters"),
    "n": Column("int", "", "seeds, or repetitions of a measurement"),
    "verdict": Column("word", "", "of primary contrasts"),
    "small": Column("word", "", "yes: the 90 % interval lies within what matters"),
    "mixed": Column("word", "", "yes: checkpoints that are pooled differ from 0 in both directions"),
    "status": Column("word", "", "exploratory: chosen after these tables had been seen; else confirmatory"),
    "reason": Column("word", "", "why there is no verdict, or which seeds are missing"),
}
VALUES = {
    "claim": COLUMNS["claim"],
    "agent": COLUMNS["agent"],
    "step": COLUMNS["step"],
    "pooled": Column("word", "", "yes: the checkpoint is part of the primary contrast"),
    "seed": Column("int", "", "trained seed, or number of the repetition"),
    "value": Column("float", "unit of the claim", "the contrast of one seed"),
}


class Verdict(NamedTuple):
    """What one claim's primary contrast says about one agent."""

    claim: str
    agent: str
    contrast: stats.Contrast
    p_holm: float
    margin: float
    verdict: str
    small: bool
    mixed: bool
    exploratory: bool
    reason: str
    measured: Measured | None


def judge(found: Mapping[str, Tables]) -> list[Verdict]:
    """Judges every claim for every agent, claims in their order.

    Args:
        found: tables by agent and name; what is missing makes its claims "not measured".

    Raises:
        TableError: if a table lacks columns, or its rows are not what they should be.
    """
    judged = []
    for name in CLAIMS:
        measured = {agent: _measured(name, agent, tables) for agent, tables in found.items()}
        judged += of_claim(name, measured, {agent: _head(tables) for agent, tables in found.items()})
    return judged


def of_claim(name: str, found: Mapping[str, Measured | str], heads: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
    """Judges one claim.

    Args:
        name: of the claim.
        found: its contrast by agent, or why there is none.
        heads: provenance of the agents' tables.
    """
    claim = CLAIMS[name]
    measured = {agent: None if isinstance(m, str) else m for agent, m in found.items()}
    contrasts = {agent: stats.contrast(m.primary if m else []) for agent, m in measured.items()}
    # who does not count takes no part in the adjustment
    judged = [agent for agent, c in contrasts.items() if c.n > 1 and heads[agent].get("counts") is not False]
    adjusted = dict(zip(judged, stats.holm([contrasts[agent].p for agent in judged]), strict=True))
    made = []
    for agent, contrast in contrasts.items():
        margin = claim.smallest(heads[agent].get("return_range"))
        small = bool(contrast.low90 > -margin and contrast.high90 < margin)
        m, why = measured[agent], found[agent]
        reason = why if isinstance(why, str) else ""
        if m is not None and contrast.n < len(m.primary):
            reason = f"{len(m.primary) - contrast.n} of {len(m.primary)} seeds have no measurement"
        if contrast.n > 1 and 2.0 ** (1 - contrast.n) >= stats.LEVEL:
            reason = f"{contrast.n} cannot establish anything: p is at least {2.0 ** (1 - contrast.n):g}"
        if agent in adjusted:
            sure = adjusted[agent] < stats.LEVEL and not contrast.low <= 0 <= contrast.high
            verdict = rule(contrast.effect * claim.sign, sure=sure, small=small)
        elif contrast.n > 1:
            verdict, reason = OUTSIDE, "these agents play too badly to count"
        else:
            verdict, reason = NOT_MEASURED, reason or "one seed has no interval"
        mixed = m is not None and _mixed(m)
        seen = not SEEN.isdisjoint({heads[agent].get("config_hash"), heads[agent].get("loaded_by")})
        p = adjusted.get(agent, math.nan)
        made.append(Verdict(name, agent, contrast, p, margin, verdict, small, mixed, seen, reason, m))
    return made


def rule(effect: float, *, sure: bool, small: bool) -> str:
    """The verdict on an effect that the claim says to be above 0.

    `sure`: p and interval tell it from 0; `small`: its 90 % interval is within what matters.
    """
    if sure:
        return ESTABLISHED if effect > 0 else CONTRADICTED
    return EQUIVALENT if small else OPEN


def _head(tables: Tables) -> Mapping[str, Any]:
    return next(iter(tables.values())).attrs.get("provenance", {})


def _measured(name: str, agent: str, tables: Tables) -> Measured | str:
    claim = CLAIMS[name]
    if claim.games and not any(game in agent for game in claim.games):
        return "the claim is about another game"
    if claim.pending:
        return claim.pending
    if claim.table not in tables:
        return f"there is no table {claim.table}"
    try:
        return measure(name, tables)
    except NotMeasured as why:
        return str(why)


def _mixed(measured: Measured) -> bool:
    found = [stats.contrast(measured.by_step[step], bootstrap=False) for step in measured.pooled]
    found = [c for c in found if c.n > 1]
    signs = {np.sign(c.effect) for c, p in zip(found, stats.holm([c.p for c in found]), strict=True) if p < stats.LEVEL}
    return len(signs) > 1


def table(verdicts: list[Verdict]) -> pd.DataFrame:
    """Rows of `COLUMNS` for all primary contrasts, each with the same at single checkpoints below it."""
    rows = []
    for v in verdicts:
        claim = CLAIMS[v.claim]
        rows.append(
            row(v.claim, v.agent, PRIMARY, claim.contrast, POOLED, v.contrast, unit=claim.unit)
            | {
                "p_holm": v.p_holm,
                "margin": v.margin,
                "verdict": v.verdict,
                "small": "yes" if v.small else "no",
                "mixed": "yes" if v.mixed else "no",
                "status": "exploratory" if v.exploratory else "confirmatory",
                "reason": v.reason,
            }
        )
        if v.measured is not None:
            for step, values in v.measured.by_step.items():
                contrast = stats.contrast(values, bootstrap=False)
                rows.append(
                    row(v.claim, v.agent, CHECKPOINT, claim.contrast, int(str(step)), contrast, unit=claim.unit)
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def row(
    claim: str, agent: str, role: str, quantity: str, step: int, contrast: stats.Contrast, *, unit: str
) -> dict[str, Any]:
    """A row of `COLUMNS` without a verdict."""
    empty = {
        "p_holm": math.nan,
        "margin": math.nan,
        "verdict": "",
        "small": "",
        "mixed": "",
        "status": "",
        "reason": "",
    }
    named = {"claim": claim, "agent": agent, "role": role, "quantity": quantity, "unit": unit, "step": step}
    return named | contrast._asdict() | empty


def values(verdicts: list[Verdict]) -> pd.DataFrame:
    """Rows of `VALUES`: the contrasts of every seed, pooled and at single checkpoints."""
    rows = []
    for v in verdicts:
        if v.measured is None:
            continue
        for step, of_step in {POOLED: v.measured.primary, **dict(v.measured.by_step.items())}.items():
            pooled = step == POOLED or step in v.measured.pooled
            for seed, value in of_step.items():
                rows.append(
                    {
                        "claim": v.claim,
                        "agent": v.agent,
                        "step": int(str(step)),
                        "pooled": "yes" if pooled else "no",
                        "seed": seed,
                        "value": value,
                    }
                )
    return pd.DataFrame(rows, columns=list(VALUES))
