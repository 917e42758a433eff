"""Claims by agents: what stands in a cell, and the grid in Markdown."""

from typing import Any, NamedTuple

from analyses.claims import verdicts
from analyses.claims.sentences import CLAIMS
from analyses.claims.verdicts import SYMBOLS
from report import words
from report.study import Agent, Study

ABOUT = {
    verdicts.ESTABLISHED: "p by Holm below 0.05, the 95 % interval leaves 0 out, and the effect has the claim's sign",
    verdicts.CONTRADICTED: "the same, and the effect has the other sign",
    verdicts.EQUIVALENT: "else, the 90 % interval lies within what matters",
    verdicts.OPEN: "else: these seeds cannot tell",
    verdicts.NOT_MEASURED: "no such measurement, or one seed, or a claim about another game",
    verdicts.OUTSIDE: "these agents play too badly to count",
}


class Cell(NamedTuple):
    """One claim in one agent."""

    agent: str
    title: str
    verdict: str
    symbol: str
    look: str  # class of the style sheet
    marks: tuple[str, ...]
    effect: str  # with its interval; empty where there is none
    unit: str
    n: str
    reason: str


def cell(study: Study, claim: str, agent: Agent) -> Cell:
    """What stands in the grid."""
    row = study.primary(claim, agent.name)
    shown = words.effect(row.effect, row.low, row.high, row.unit) if row.n else ""
    return Cell(
        agent.name, agent.title, row.verdict, SYMBOLS[row.verdict], look(row.verdict),
        tuple(words.marks(row)), shown, words.unit_name(row.unit) if row.n else "",
        words.count(row.n, repeated=agent.repeated) if row.n else "", row.reason,
    )  # fmt: skip


def look(verdict: str) -> str:
    """The class that the style sheet knows a verdict by."""
    return verdict.replace(" ", "-")


def cells(study: Study) -> dict[str, list[Cell]]:
    """All cells, by claim."""
    return {claim: [cell(study, claim, agent) for agent in study.agents] for claim in CLAIMS}


def markdown(study: Study) -> str:
    """The grid with a word or two a cell."""
    lines = [
        _line("claim of the paper", *(agent.title for agent in study.agents)),
        _line(*["---"] * (len(study.agents) + 1)),
    ]
    for claim, row in cells(study).items():
        lines.append(_line(f"{claim}. {CLAIMS[claim].marked}", *map(word, row)))
    return "\n".join(lines) + "\n"


def word(c: Cell) -> str:
    """Symbol, verdict and marks."""
    return f"{c.symbol} {', '.join([c.verdict, *c.marks])}"


def _line(*texts: str) -> str:
    return f"| {' | '.join(map(escaped, texts))} |"


def escaped(text: Any) -> str:
    """Text that Markdown shows as it is, in a cell of a table."""
    return "".join(f"\\{c}" if c in "\\|<>&*_`[]" else c for c in " ".join(str(text).split()))
