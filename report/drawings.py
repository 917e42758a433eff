"""The study's figures, each with what to see in it and what it was made from."""

import re
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import pandas as pd

from analyses import tables
from figures import __main__ as figures
from report import pictures
from report.study import Agent, Study


class Source(NamedTuple):
    """A table that a figure was made from."""

    place: str  # PROFILE/AGENT/NAME.csv
    digest: str
    commit: str  # of the code that measured it


class Drawing(NamedTuple):
    """One figure on the page."""

    name: str
    question: str
    svg: str
    caption: str
    module: str
    sources: tuple[Source, ...]
    missing: tuple[str, ...]  # titles of agents without a table


def draw(study: Study) -> list[Drawing]:
    """Draws every figure for which an agent has a table, in the paper's order.

    Raises:
        TableError: if a table lacks what its figure reads.
    """
    return [
        _draw(name, module, study)
        for name, module in sorted(figures.modules().items(), key=_number)
        if any(name in agent.tables for agent in study.agents)
    ]


def undrawn(study: Study) -> list[tuple[str, str]]:
    """Figures that no agent has a table for: their questions, and the commands that make the tables."""
    first = study.agents[0].place.rpartition("/")
    return [
        (_paragraph(module, 0), f"python -m analyses {name} --profile {first[0]} --agent {first[2]}")
        for name, module in sorted(figures.modules().items(), key=_number)
        if not any(name in agent.tables for agent in study.agents)
    ]


def _draw(name: str, module: ModuleType, study: Study) -> Drawing:
    further = {other: _tables(study, other, columns) for other, columns in getattr(module, "FURTHER", {}).items()}
    there = _tables(study, name, module.COLUMNS)
    question = _paragraph(module, 0)
    caption = getattr(module, "CAPTION", "") or _paragraph(module, 1)
    svg = pictures.inline(module.draw(there, **further), f"{question} {caption}")
    sources = tuple(
        _source(agent, each)
        for each, found in {name: there, **further}.items()
        for agent in study.agents
        if agent.name in found
    )
    missing = tuple(agent.title for agent in study.agents if agent.name not in there)
    return Drawing(name, question, svg, caption, f"figures/{name}.py", sources, missing)


def _tables(study: Study, name: str, columns: Sequence[str]) -> dict[str, pd.DataFrame]:
    """One analysis' tables by agent, of those that have one."""
    found = {agent.name: agent.tables[name] for agent in study.agents if name in agent.tables}
    for table in found.values():
        tables.require(table, columns)
    return found


def _source(agent: Agent, name: str) -> Source:
    table = agent.tables[name]
    measured = table.attrs["provenance"].get("commit", "unknown")
    return Source(f"{agent.place}/{name}.csv", table.attrs["digest"][:12], str(measured)[:12])


def _paragraph(module: ModuleType, index: int) -> str:
    """One of the paragraphs of a module's docstring, on one line."""
    found = (module.__doc__ or "").strip().split("\n\n")
    return " ".join(found[index].split()) if index < len(found) else ""


def _number(named: tuple[str, ModuleType]) -> tuple[int, str]:
    """The paper's number of a figure; others come last, by name."""
    name, module = named
    found = re.search(r"the paper's Figure (\d+)", " ".join((module.__doc__ or "").split()))
    return (int(found[1]) if found else 99, name)
