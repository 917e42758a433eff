"""Does a browser show the page without asking anybody for anything, and without scrolling sideways?"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report import browser

WIDE = """[...document.querySelectorAll("body *")]
  .filter(e => !e.closest(".scroll > *, .skip, svg, details:not([open])")
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 100))"""
CLOSED = """[...document.querySelectorAll("details")].map(e => e.lastElementChild)
  .filter(e => !e.checkVisibility({contentVisibilityAuto: true})).length"""
# the accessible name that a reader with a keyboard meets first
FOCUS = "[document.activeElement.tagName, document.activeElement.textContent.trim()]"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    found = browser.find()
    if found is None:
        pytest.skip(browser.MISSING)
    with browser.opened(found, tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_on_its_own(tab: browser.Page, study_page: Path, width: int, dark: bool):
    """It asks for the file and nothing else, says nothing on the console, and fits the window's width."""
    tab.show(study_page, width=width, dark=dark)
    address = study_page.absolute().as_uri()
    assert {url for url in tab.requested() if not url.startswith("data:")} == {address}
    assert tab.complaints() == []
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.evaluate(WIDE) == []
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 23, 26)" if dark else "rgb(251, 250, 248)"
    )


def test_print_unfolds(tab: browser.Page, study_page: Path):
    """On paper nothing is folded away."""
    tab.show(study_page, width=800)
    folded = tab.evaluate(CLOSED)
    assert folded > 20
    tab.show(study_page, width=800, media="print")
    assert tab.evaluate(CLOSED) == 0


def test_the_keyboard_is_enough(tab: browser.Page, study_page: Path):
    """The first stop leads past the head, and a reason unfolds with the space bar."""
    tab.show(study_page, width=1400)
    tab.press("Tab")
    assert tab.evaluate(FOCUS) == ["A", "Skip to the verdicts"]
    tab.evaluate("document.querySelector('.grid summary').focus()")
    tab.press("Space")
    assert tab.evaluate("document.querySelector('.grid details').open")
