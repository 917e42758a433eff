"""Can what stands in files, or how folders are called, steer a terminal?"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyses.claims import __main__ as claims
from muzero_probe import arrays
from muzero_probe.checkpoints import checkpoint_path
from muzero_probe.cli import main as cli
from muzero_probe.runs import progress
from tests.report import reduced

EVIL = "\x1b[2J\x1b]0;title\x07[bold]\u202e[/nothing]\n\x9b1mé"


def forge(root: Path, **said: str) -> None:
    """A checkpoint whose digest is right, and whose header says what it likes."""
    training = {"training": {"checkpoints": [0]}}
    fields: dict[str, Any] = {
        "format": "muzero-probe", "format_version": "1", "kind": "checkpoint", "agent": "cartpole", "profile": "smoke",
        "seeds": "[0]", "step": "0", "config": json.dumps(training), "config_hash": "0" * 12, "versions": "{}",
        "commit": "none", "meta": "{}",
    }  # fmt: skip
    path = checkpoint_path(root, "smoke", "cartpole", 0, 0)
    path.parent.mkdir(parents=True)
    arrays.save(path, {"x": np.zeros(3, np.float32)}, fields | said)


def harmless(text: str) -> None:
    assert text and all(line.isprintable() for line in text.removesuffix("\n").split("\n")), repr(text)


@pytest.mark.parametrize(
    "field", ["config_hash", "kind", "agent", "format_version", "seeds", "step", "config", "digest"]
)
def test_status_of_a_forged_header(field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    forge(tmp_path, **{field: EVIL})
    code = cli.main(["status", "--root", str(tmp_path)])
    output, errors = capsys.readouterr()
    assert errors == "" and code == (field not in ("config_hash", "digest"))
    harmless(output)
    assert ("[bold]" in output) == (field in ("config_hash", "kind", "agent", "format_version"))


def test_play_of_a_forged_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    forge(tmp_path, kind=EVIL)
    assert cli.main(["play", "cartpole", "--profile", "smoke", "--root", str(tmp_path)]) == 1
    output, errors = capsys.readouterr()
    assert output == "" and errors.count("\n") == 1
    harmless(errors)


@pytest.mark.parametrize("name", ["my agent", ".hidden", "new\nline", "\x1b[31mred", "a" * 101])
@pytest.mark.parametrize("what", ["profile", "agent"])
def test_status_passes_by_what_no_command_can_name(
    what: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    forge(tmp_path)
    there = {"profile": "smoke", "agent": "cartpole"} | {what: name}
    (tmp_path / there["profile"] / there["agent"] / "seed_000").mkdir(parents=True)
    assert cli.main(["status", "--root", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    harmless(output)
    assert output.splitlines()[-1].startswith("left out: ") and "1 of 2" in output


def test_messages_of_a_run(capsys: pytest.CaptureFixture[str]):
    with progress.shown("title", steps=1, seeds=1):
        logging.getLogger("muzero_probe.runs").warning("found %s of %d", EVIL, 3)
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and "[bold]" in errors and "of 3" in errors
    harmless(errors)


def test_titles_of_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(reduced.TITLES, "cartpole", EVIL)
    reduced.write(tmp_path, "paper/cartpole", seeds=3)
    assert claims.main(["--profile", reduced.PROFILE, "--tables", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "[bold]" in output
    harmless(output)
