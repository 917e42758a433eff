"""How figures look: SVG for pages, names of steps, the legend's columns, the same on every machine."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import pandas as pd
import pytest

from figures import style
from tests.figures.test_figures import AVERAGED, drawn_from

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("name", AVERAGED)
def test_svg_is_an_element_for_a_page(name: str) -> None:
    """Well-formed, text as text with fonts to fall back to, no prolog, style sheet, date, or size in points."""
    figure = drawn_from(name, 2)
    text = style.svg(figure)
    root = ElementTree.fromstring(text)
    assert text.startswith("<svg") and root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("width") == "100%" and root.get("height") is None
    width, height = (72 * float(inches) for inches in figure.get_size_inches())
    assert [float(x) for x in str(root.get("viewBox")).split()] == pytest.approx([0, 0, width, height], abs=1e-3)
    words = {"".join(each.itertext()).strip() for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert "Lunar Lander" in "\n".join(words)
    for font in re.findall(r"font: ([^;\"]+)", text):
        assert font.endswith("px 'DejaVu Sans', Verdana, sans-serif")
    for stamp in ("<?xml", "<!DOCTYPE", "<style", "<metadata", "dc:date"):
        assert stamp not in text


@pytest.mark.parametrize("name", AVERAGED)
def test_svg_is_the_same_again(name: str) -> None:
    """Of one figure twice, before and after its files, and of a figure drawn anew."""
    figure = drawn_from(name, 1)
    assert style.svg(figure) == style.svg(figure) == style.svg(drawn_from(name, 1))


def test_files_leave_the_svg_as_it_was(tmp_path) -> None:
    figure, other = drawn_from("returns", 2), drawn_from("returns", 2)
    written = [path.read_bytes() for path in style.save(figure, tmp_path / "a")]
    text = style.svg(figure)
    assert text == style.svg(other)
    assert written == [path.read_bytes() for path in style.save(other, tmp_path / "b")]


def test_figures_of_one_page_share_no_names() -> None:
    """Every name in a picture is one of its own parts, and no other picture has it."""
    names = []
    for name in ("returns", "own_policy"):
        text = style.svg(drawn_from(name, 1))
        own = re.findall(r'\bid="([^"]+)"', text)
        assert len(set(own)) == len(own)
        used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)
        assert used and {a or b for a, b in used} <= set(own)
        names += own
    assert len(set(names)) == len(names)


def test_the_users_settings_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Matplotlib was told before, seaborn's theme and ours stand."""
    plain = style.svg(drawn_from("returns", 1))
    with matplotlib.rc_context({"font.size": 20, "axes.grid": False, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert style.svg(drawn_from("returns", 1)) == plain


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (0, "0"),
        (500, "500"),
        (1_000, "1K"),
        (2_500, "2.5K"),
        (1_000_000, "1M"),
        (5_169, "5,169"),
        (1_234_567, "1,234,567"),
    ],
)
def test_names_of_steps(step: int, name: str) -> None:
    assert style.step_name(step) == name


def test_agents_count_unless_their_table_says_no() -> None:
    """Tables without the entry, or without any provenance, are of agents that count; these are drawn last."""
    tables = {name: pd.DataFrame({"seed": [0]}) for name in ("old", "idle", "playing")}
    tables["idle"].attrs["provenance"] = {"counts": False}
    tables["playing"].attrs["provenance"] = {"counts": True}
    assert [style.counts(table) for table in tables.values()] == [True, False, True]
    assert style.by_weight(tables) == ["idle", "old", "playing"]
