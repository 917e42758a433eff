"""Does what the README shows work?"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyses import tables
from report import __main__ as report

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_it_is_one_page():
    assert len(README.encode()) <= 9_000


def test_grid_and_results_are_those_of_the_tables(tmp_path: Path):
    """What `make report` writes of the committed tables, and `python -m report --markdown` for this page."""
    (agents,) = re.findall(r"^agents +:= (.*)$", (ROOT / "Makefile").read_text(), re.M)
    places = {"--out": "report.html", "--results": "results.md", "--markdown": "grid.md", "--figures": "figures"}
    words = [word for option, name in places.items() for word in (option, str(tmp_path / name))]
    where = ["--profile", "study", *agents.split(), "--tables", str(ROOT / "analyses" / "tables")]
    assert report.main([*where, *words]) == 0
    (shown,) = re.findall(r"<!-- grid -->\n(.*?)<!-- /grid -->", README, re.S)
    assert shown == (tmp_path / "grid.md").read_text()
    assert (tmp_path / "results.md").read_text() == (ROOT / "docs" / "results.md").read_text()


def test_the_agent_of_one_s_own(tmp_path: Path):
    """The program is the example, whose types are checked, and goes through an analysis as the text says."""
    (program,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert program == (ROOT / "examples" / "own_agent.py").read_text()
    words = (
        "own_policy --agent examples/own_agent.py:load --jobs 1 --bank.episodes 1 --bank.states 3 --own-policy.states 3"
    )
    assert "python -m analyses --agent examples/own_agent.py:load" in README
    places = ["--own-policy.samples", "16", "--tables", str(tmp_path), "--units", str(tmp_path / "units")]
    subprocess.run([sys.executable, "-m", "analyses", *words.split(), *places], cwd=ROOT, check=True)
    found: Any = tables.read(tmp_path / "own" / "mine" / "own_policy.csv")
    # no Cart Pole episode is over after one step, and whoever expects 1 for ever errs by the steps behind the end
    assert set(found.loc[found["horizon"] == 1, "error"]) == {0.0}
    assert found["error"].max() > 0


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name
)
def test_links_lead_somewhere(page: Path):
    links = set(re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text()))
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_makefile_has_the_targets(target: str):
    assert re.search(rf"^{target}:|^\.venv.* {target}:", (ROOT / "Makefile").read_text(), re.M)
