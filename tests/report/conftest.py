"""Reports that several tests read: one of a small study, one of the committed tables."""

from pathlib import Path

import pytest

from report import __main__ as program
from tests.report import reduced


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a small study of two agents; only read, or copied."""
    root = tmp_path_factory.mktemp("tables")
    reduced.write(root, "paper/cartpole", seeds=8)
    reduced.write(root, "desk/lunar_lander", seeds=8)
    reduced.judge(root)
    return root


@pytest.fixture(scope="session")
def small_page(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    out = tmp_path_factory.mktemp("small")
    assert reduced.report(small, out, "--markdown", str(out / "grid.md"), "--results", str(out / "results.md")) == 0
    return out / "report.html"


@pytest.fixture(scope="session")
def study_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the committed tables."""
    out = tmp_path_factory.mktemp("study")
    agents = [word for place in reduced.STUDY for word in ("--agent", place)]
    given = ["--profile", "study", "--tables", str(reduced.COMMITTED), "--figures", str(out), *agents]
    assert program.main([*given, "--results", str(out / "results.md")]) == 0
    return out / "study" / "report.html"
