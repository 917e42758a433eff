"""Is a wrong command one line, without a traceback, and does it leave nothing behind?"""

import re
import shlex
from pathlib import Path

import pytest

from tests.attacks.commands import PROGRAMS, WORDS, places

CASES = [(program, line) for program, lines in WORDS.items() for line in lines]


@pytest.mark.parametrize(("program", "line"), CASES, ids=[f"{program} {line[:60]!r}" for program, line in CASES])
def test_a_wrong_command_is_one_line(
    program: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    there = places(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code = PROGRAMS[program]([word.format_map(there) for word in shlex.split(line)])
    said = capsys.readouterr()
    assert code in (1, 2)
    assert said.out == ""
    assert len(said.err.splitlines()) == 1 and len(said.err) < 1_500 and said.err[:-1].isprintable()
    assert re.match(r"(muzero-probe|python -m [a-z.]+): \S", said.err)
    assert "Traceback" not in said.err
    assert sorted(tmp_path.rglob("*")) == before
