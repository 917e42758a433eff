"""Does every number on the page of the committed tables stand in a table, rounded as it is shown?

A number is allowed where it stands: in a claim's card only numbers of that claim and agent, in the grid those of the
cell. What else may be read is listed below.
"""

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from analyses import tables
from analyses.claims.sentences import CLAIMS
from figures.__main__ import modules
from report.facts import FACTS
from tests.report import reduced
from tests.report.pages import Page, Text

NUMERAL = re.compile(r"(?P<minus>−?)(?P<digits>\d[\d,]*(?:\.\d+)?)(?P<unit>[KM]?)")
STRUCTURE = {
    "the rule": (0.05, 0.8, 0.001, 90, 95, 5, 1.25, 0, 1),  # level, power, least p, intervals, margins, no difference
    "the paper": (2024, 10.3233, 240666),
    "a digest": (256,),  # SHA-256
}
PLACES = ("foreign", "described", "comment", "counts", "figures", "agents", "provenance", "number")  # ids and classes
MEASURED = ("effect", "low", "high", "low90", "high90", "p", "p_holm", "detectable", "margin", "n", "step")
RATIOS = ("effect", "low", "high", "low90", "high90", "detectable", "margin")


def read(path: Path) -> Any:
    return tables.read(path)


def numbers(rows: Any) -> set[float]:
    """What rows of claims.csv hold: their numbers, and the factors that log ratios are."""
    found = set(rows[list(MEASURED)].to_numpy(float).ravel())
    ratios = rows[rows["unit"] == "log ratio"][list(RATIOS)].to_numpy(float).ravel()
    return {x for x in found | set(np.exp(ratios)) if math.isfinite(x)}


def of_text(*texts: str) -> set[float]:
    """Numbers that stand in other texts."""
    return {value(m) for text in texts for m in NUMERAL.finditer(text)}


def value(found: re.Match[str]) -> float:
    size = {"": 1, "K": 1_000, "M": 1_000_000}[found["unit"]]
    return float(found["digits"].replace(",", "")) * size * (-1 if found["minus"] else 1)


def shown_as(found: re.Match[str], allowed: Iterable[float]) -> bool:
    """Whether one of the numbers reads so, rounded to as many decimals."""
    places = len(found["digits"].partition(".")[2])
    half = 0.5 * 10.0**-places * (1 + 1e-6) * {"": 1, "K": 0, "M": 0}[found["unit"]]
    near = np.abs(np.fromiter(allowed, float) - value(found))
    return bool((near <= half + 1e-9).any())


class Tables:
    """What may stand where, of the committed tables."""

    def __init__(self) -> None:
        self.claims = read(reduced.COMMITTED / "study" / "claims.csv")
        self.foreign = read(reduced.COMMITTED / "foreign" / "claims.csv")
        for table in (self.claims, self.foreign):
            table.attrs = {}
        self.places = {place.rpartition("/")[2]: place for place in reduced.STUDY}
        self.structure = {x for values in STRUCTURE.values() for x in values}

    def allowed(self, text: Text) -> set[float]:
        """Numbers that may stand in a text."""
        places = [p for p in PLACES if text.within(id=p) or text.within(class_=p)]
        return self._allowed(text.nearest("data-claim"), text.nearest("data-agent"), tuple(places))

    @functools.cache  # noqa: B019
    def _allowed(self, claim: str, agent: str, places: tuple[str, ...]) -> set[float]:
        table = self.foreign if "foreign" in places else self.claims
        found = set(self.structure)
        if claim:
            rows = table[table["claim"] == claim]
            judging = rows[rows["role"] != "descriptive"]
            if agent:
                found |= numbers(judging[judging["agent"] == agent])
            elif "described" in places:
                found |= numbers(rows[rows["role"] == "descriptive"])
            elif "comment" in places:
                found |= numbers(judging)
            said = CLAIMS[claim]
            about = [*rows["reason"], *rows["quantity"], said.sentence, said.contrast, said.caveat, said.pending, claim]
            return found | of_text(*about)
        if "foreign" in places:
            return found
        if "counts" in places:
            return found | set(self.claims[self.claims["role"] == "primary"].groupby("verdict").size())
        if "figures" in places:
            return found | of_text(*(f"{m.__doc__} {getattr(m, 'CAPTION', '')}" for m in modules().values()))
        if "agents" in places:
            if agent:
                return found | self._returns(agent)
            return found | of_text(*(str(facts) for facts in FACTS.values()))
        if "provenance" in places:
            return found | of_text(*(str(said) for said in self._provenance()))
        if "number" in places:
            return found | of_text(*CLAIMS)
        return found | of_text(*(claim.sentence for claim in CLAIMS.values()), *reduced.STUDY)

    def _returns(self, agent: str) -> set[float]:
        """Means and intervals from claims.csv; the interquartile mean by its definition."""
        table = read(reduced.COMMITTED / self.places[agent] / "returns.csv")
        found = {float(table.attrs["provenance"]["training_steps"])}
        last = table["step"].max()
        rows = self.claims[self.claims["quantity"].isin(["return, search", "return, prior"])]
        found |= numbers(rows[(rows["agent"] == agent) & (rows["step"] == last)])
        for policy in ("search", "prior"):
            x = sorted(table[(table["policy"] == policy) & (table["step"] == last)]["return_mean"])
            cut = len(x) // 4
            found.add(float(np.mean(x[cut : len(x) - cut])))
        return found | self._baselines(agent)

    def _baselines(self, agent: str) -> set[float]:
        """Means, 95 % intervals by t and interquartile means of an agent's baselines, by their definitions."""
        path = reduced.COMMITTED / self.places[agent] / "baselines.csv"
        if not path.is_file():
            return set()
        table = read(path)
        found = set(table["environment_steps"].astype(float))
        for _, rows in table.groupby(["algorithm", "policy"]):
            x, n = sorted(rows["return_mean"]), len(rows)
            half = float(student.ppf(0.975, n - 1)) * float(np.std(x, ddof=1)) / math.sqrt(n)
            found |= {float(n), float(np.mean(x)), float(np.mean(x)) - half, float(np.mean(x)) + half}
            found.add(float(np.mean(x[n // 4 : n - n // 4])))
        return found

    def _provenance(self) -> Iterator[Any]:
        for path in reduced.COMMITTED.glob("*/*/*.csv"):
            said = read(path).attrs["provenance"]
            yield said.get("versions"), [min(said["seeds"]), max(said["seeds"])], said.get("processor")


TABLES = Tables()


def strays(source: str) -> list[tuple[str, str]]:
    """Numbers of a page that stand in no table, each with its text."""
    found = []
    for text in Page(source).texts:
        if text.within("svg") or text.within("style") or text.within("code") or text.within("title"):
            continue
        plain = re.sub(r"[A-Za-z_]+\d\w*|\d+(?=[A-Za-z_]*\.csv)|\d+[a-z]\b", " ", text.text)  # FAIA240666, 10b
        allowed = None
        for numeral in NUMERAL.finditer(plain):
            allowed = TABLES.allowed(text) if allowed is None else allowed
            if not shown_as(numeral, allowed):
                found.append((numeral[0], text.text.strip()))
    return found


def test_every_number_is_measured(study_page: Path):
    """None is left over; hundreds were held against the tables."""
    source = study_page.read_text()
    assert strays(source) == []
    assert sum(len(NUMERAL.findall(t.text)) for t in Page(source).texts if t.nearest("data-claim")) > 1000


def test_digests_and_commits_are_those_of_the_tables(study_page: Path):
    """Whatever is set as code and looks like a digest begins one that a table has."""
    said = " ".join(
        line
        for path in reduced.COMMITTED.rglob("*.csv")
        for line in path.read_text().splitlines()[:30]
        if line[0] == "#"
    )
    codes = {t.text for t in Page(study_page.read_text()).texts if t.within("code")}
    digests = {code for code in codes if re.fullmatch(r"[0-9a-f]{12}", code)}
    assert len(digests) > 30
    assert all(digest in said for digest in digests)


FORGED: dict[str, Callable[[str], str]] = {
    "an effect in the grid": lambda s: s.replace('<span class="effect">+20.7 [', '<span class="effect">+20.8 [', 1),
    "an effect in a card": lambda s: s.replace('<p class="effect">+20.7 [', '<p class="effect">−20.7 [', 1),
    "a number of seeds": lambda s: s.replace('<span class="n">30 seeds', '<span class="n">31 seeds', 1),
    "a number in a sentence": lambda s: s.replace("</main>", "<p>We saw 123.4 of them.</p></main>"),
    "another claim's effect": lambda s: re.sub(
        r'(data-claim="8".*?<span class="effect">)\+131 ', r"\g<1>+20.7 ", s, flags=re.S
    ),
    "a count": lambda s: re.sub(r"<li><strong>\d+", "<li><strong>77", s, count=1),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_number_is_found(study_page: Path, name: str):
    """The check can fail."""
    source = study_page.read_text()
    forged = FORGED[name](source)
    assert forged != source
    assert len(strays(forged)) == 1
