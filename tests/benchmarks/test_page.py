"""Do benchmarks write where their marks are, and is every table of the page theirs?"""

import re
from pathlib import Path

import pytest

from benchmarks import page


def test_only_what_lies_between_the_marks_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- x -->\nold\nolder\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n")
    page.put(file, "x", ["new", "", "newer"])
    page.put(file, "y", ["one"])
    assert file.read_text() == ("a\n<!-- x -->\nnew\n\nnewer\n<!-- /x -->\nb\n<!-- y -->\none\n<!-- /y -->\n")
    assert capsys.readouterr().out == "new\n\nnewer\n\none\n\n"


@pytest.mark.parametrize("text", ["", "<!-- x -->\n", 2 * "<!-- x -->\n<!-- /x -->\n"])
def test_a_page_without_marks_is_refused(text: str, tmp_path: Path):
    file = tmp_path / "page.md"
    file.write_text(text)
    with pytest.raises(ValueError, match="must have the marks <!-- x --> and <!-- /x --> once each"):
        page.put(file, "x", ["new"])
    assert file.read_text() == text


def test_every_table_of_the_page_is_written_by_a_benchmark():
    text = page.PERFORMANCE.read_text()
    names = re.findall(r"^<!-- ([a-z ]+) -->$", text, re.M)
    assert names == ["bench", "whole runs", "studies", "memory"]
    code = (page.ROOT / "benchmarks" / "__main__.py").read_text()
    for name in names:
        assert f'page.put(page.PERFORMANCE, "{name}", ' in code
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- /{name} -->\n", "", text, count=1, flags=re.S)
    assert [line for line in text.splitlines() if line.startswith("|")] == []


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (999.4, "999"), (999.6, "1,000"), (1234, "1,230"), (7, "7")]
)
def test_numbers_have_three_digits(value: float, text: str):
    assert page.shown(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.24, "1.2 s"), (60, "1 min"), (5_400, "1.5 h"), (9_780, "2.72 h"), (3_600_000, "1,000 h")]
)
def test_times_have_units(seconds: float, text: str):
    assert page.duration(seconds) == text


def test_a_table_is_one_of_markdown():
    assert page.table(["", "x"], [["a", "1"], ["b", "2"]]) == ["| | x |", "|---|---|", "| a | 1 |", "| b | 2 |"]


def test_a_spread_is_median_least_and_largest():
    assert page.spread([3.0, 1.0, 2.0]) == ["2", "1", "3"]
