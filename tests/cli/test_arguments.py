"""Is any typed command line parsed, and what is wrong with it condensed?"""

import dataclasses
import io
import sys
from typing import Any

import pytest

from muzero_probe.cli import arguments


@dataclasses.dataclass(frozen=True)
class Words:
    """Says something."""

    count: int = 1  # how often
    word: str = "yes"  # what

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}, it must be 0 or more")


def test_parse_with_defaults_that_depend_on_the_words():
    def defaults(words: Any) -> Words:
        return Words(count=5 if arguments.option(words, "--word") == "no" else 2)

    assert arguments.parse(Words, [], program="say") == Words()
    assert arguments.parse(Words, ["--word", "no"], program="say", defaults=defaults) == Words(5, "no")
    assert arguments.parse(Words, ["--word=so"], program="say", defaults=defaults) == Words(2, "so")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--count", "-1"], "^count is -1, it must be 0 or more$"),
        (["--cout", "1"], "^Unrecognized options: --cout, 1; perhaps you meant --count INT$"),
        (["--count", "1x"], r"^Error parsing --count: invalid literal for .*: '1x'; allowed: --count INT$"),
        (["so"], "^Unrecognized options: so; see say --help$"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_parse_condenses(words: list[str], says: str, encoding: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(ValueError, match=says):
        arguments.parse(Words, words, program="say")


def test_option():
    assert arguments.option(["--a", "1", "--a=2", "x"], "--a") == "2"
    assert arguments.option(["--ab", "1", "--a"], "--a") is None
