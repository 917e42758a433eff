"""Is every wrong `python -m figures`, `analyses.claims` and `report` refused in one line, with nothing written?"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from analyses.claims import __main__ as claims
from figures import __main__ as figures
from report import __main__ as report
from tests.refused import LONG, furnish, refused

NAME = "cannot be the name of a profile or an agent"

# of tables of two agents in the profile `small`, below tables/
ALL: list[tuple[str, int, str]] = [
    ("--profile ''", 2, "--profile is empty"),
    ("--profile 'a b'", 2, NAME),
    ("--profile .small", 2, NAME),
    ("--profile ../tables/small", 2, NAME),
    ("--profile /", 2, NAME),
    (f"--profile {LONG}", 2, NAME),
    ("--profile nope", 1, "tables/nope"),
    ("--agent ''", 2, "--agent is empty"),
    ("--agent nope", 1, "tables/small/nope"),
    ("--agent nope.py", 1, "tables/small/nope"),
    ("--agent pipe.py", 1, "tables/small/pipe"),
    ("--agent 'my agent'", 2, NAME),
    ("--agent 'my agent.py'", 2, NAME),
    ("--agent .cartpole", 2, NAME),
    ("--agent ../cartpole", 2, NAME),
    ("--agent /small/cartpole", 2, NAME),
    ("--agent small/", 2, NAME),
    ("--agent tables/small/cartpole", 2, "must be a name, a file, or PROFILE/NAME"),
    (f"--agent {LONG}", 2, NAME),
    (f"--agent {LONG}/cartpole", 2, NAME),
    ("--agent cartpole --agent cartpole", 2, "have one name, cartpole"),
    ("--agent cartpole --agent desk/cartpole", 2, "have one name, cartpole"),
    ("--agent", 2, "Missing value for argument '--agent'"),
    ("--tables ''", 2, "--tables is empty"),
    ("--tables none", 1, "none/small"),
    ("--tables file", 1, "file"),
    ("--tables pipe", 1, "pipe"),
    ("--tables folder", 1, "folder/small"),
    (f"--tables {LONG}", 1, "File name too long"),
    ("--tabels tables", 2, "perhaps you meant --tables"),
    ("--seeds 0:3", 2, "Unrecognized options: --seeds"),
    ("''", 2, "a word is empty"),
    ("--profile 'a\x1b[2Jb'", 2, "control characters"),
    ("--tables 'a\nb'", 2, "control characters"),
    ("--agent 'a\tb'", 2, "control characters"),
]
FIGURES: list[tuple[str, int, str]] = [
    *ALL,
    ("nope", 2, "figure 'nope' is unknown: cross_checkpoint, "),
    ("style", 2, "figure 'style' is unknown: cross_checkpoint, "),
    ("returns.png", 2, "figure 'returns.png' is unknown: cross_checkpoint, "),
    (LONG, 2, "is unknown: cross_checkpoint, "),
    ("search_tree --agent lunar_lander --agent nope", 1, "python -m analyses"),
    ("--out ''", 2, "--out is empty"),
    ("--out file", 1, "file: is no folder"),
    ("--out file/below", 1, "file: is no folder"),
    ("--out pipe", 1, "pipe: is no folder"),
    (f"--out {LONG}", 1, "File name too long"),
    ("--out taken", 1, "returns.pdf: is a folder, not a file"),
]
CLAIMS: list[tuple[str, int, str]] = [
    *ALL,
    ("--out folder", 2, "Unrecognized options: --out"),
    ("returns", 2, "Unrecognized options: returns"),
    ("--tables taken", 1, "claims.csv: is a folder, not a file"),
]
REPORT: list[tuple[str, int, str]] = [
    *ALL,
    ("cartpole", 2, "Unrecognized options: cartpole"),
    ("--figures ''", 2, "--figures is empty"),
    ("--figures file", 1, "file: is no folder"),
    ("--out ''", 2, "--out is empty"),
    ("--out folder", 1, "folder: is a folder, not a file"),
    ("--out pipe", 1, "pipe: is no regular file"),
    ("--out file/x.html", 1, "file: is no folder"),
    (f"--out {LONG}", 1, "File name too long"),
    ("--markdown folder", 1, "folder: is a folder, not a file"),
    ("--markdown pipe", 1, "pipe: is no regular file"),
    ("--results folder", 1, "folder: is a folder, not a file"),
    ("--results file/x.md", 1, "file: is no folder"),
    ("--out x --results x", 2, "must name different files"),
    ("--results folder/../x --markdown x", 2, "must name different files"),
    ("--gif cartpole", 2, "must be AGENT=PATH"),
    ("--gif =x.gif", 2, "must be AGENT=PATH"),
    ("--gif cartpole=", 2, "must be AGENT=PATH"),
    ("--gif ''", 2, "--gif is empty"),
    ("--gif nope=x.gif", 1, "nope is not shown: cartpole, lunar_lander"),
    ("--gif cartpole=none.gif", 1, "none.gif: No such file or directory"),
    ("--gif cartpole=file", 1, "`muzero-probe play cartpole --out file` writes one"),
    ("--gif cartpole=pipe", 1, "pipe: is no regular file"),
    ("--gif cartpole=folder", 1, "folder: "),
    ("--gif cartpole=x.gif --gif cartpole=y.gif", 2, "one recording an agent is shown"),
]


@pytest.fixture(scope="module")
def furnished(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables, and with folders where files belong; wrong commands leave it as it is."""
    folder = furnish(tmp_path_factory.mktemp("furnished"))
    shutil.copytree(small, folder / "tables")
    (folder / "taken" / "small" / "returns.pdf").mkdir(parents=True)
    (folder / "taken" / "small" / "claims.csv").mkdir()
    return folder


@pytest.fixture
def place(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is given."""
    monkeypatch.chdir(furnished)
    return furnished


def check(program: Any, words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = {"--profile": "small", "--tables": "tables"}
    given = [part for name, value in usual.items() if name not in words.split() for part in (name, value)]
    found, said = refused(program.main, program.PROGRAM, f"{words} {' '.join(given)}", place, capsys)
    assert (says in said, found) == (True, code), said


@pytest.mark.parametrize(("words", "code", "says"), FIGURES)
def test_figures(words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    first = words if words.split("--")[0].strip(" '") or words == "''" else f"returns {words}"
    check(figures, first, code, says, place, capsys)


@pytest.mark.parametrize(("words", "code", "says"), CLAIMS)
def test_claims(words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    check(claims, words, code, says, place, capsys)


@pytest.mark.parametrize(("words", "code", "says"), REPORT)
def test_report(words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    check(report, words, code, says, place, capsys)
