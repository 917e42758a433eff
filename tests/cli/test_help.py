"""Does --help say what every option is, in whole sentences?"""

import contextlib
import dataclasses
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from analyses import __main__ as measuring
from analyses.claims import __main__ as claims
from analyses.harness.registry import settings_type
from figures import __main__ as drawing
from muzero_probe import agents
from muzero_probe.cli import main as cli
from muzero_probe.config import SearchConfig, TrainingConfig
from tests.agents import own

Main = Callable[[Sequence[str]], int]
# a sentence, and what tyro adds to it
SENTENCE = re.compile(r"[A-Z].*\.( \((required|repeatable|default: .*?)\))+")
COMMANDS: dict[str, tuple[Main, list[str]]] = {
    "muzero-probe": (cli.main, []),
    "train": (cli.main, ["train"]),
    **{f"train {name}": (cli.main, ["train", name]) for name in agents.names()},
    "play": (cli.main, ["play"]),
    "diagnose": (cli.main, ["diagnose"]),
    "status": (cli.main, ["status"]),
    "agents": (cli.main, ["agents"]),
    "analyses": (measuring.main, []),
    **{f"analyses of {name}": (measuring.main, ["--agent", name, "--profile", "smoke"]) for name in agents.names()},
    "claims": (claims.main, []),
    "figures": (drawing.main, []),
}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")


def help_of(main: Main, words: list[str]) -> str:
    """What a command says of itself, in boxes."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(io.StringIO()) as errors,
        pytest.raises(SystemExit) as end,
    ):
        main([*words, "--help"])
    assert (end.value.code, errors.getvalue()) == (0, "")
    output.seek(0)
    return output.read()


def column(text: str) -> list[str]:
    """The lines of all boxes: those that stand at the left, then those at their right."""
    lines = text.splitlines()
    cuts = {line.index("╮╭") + 1 for line in lines if "╮╭" in line}
    assert len(cuts) <= 1
    at = cuts.pop() if cuts else 1000
    return [line for part in (slice(0, at), slice(at, None)) for line in (whole[part] for whole in lines)]


def options(text: str) -> dict[str, str]:
    """What is said of every option and positional argument; of a whole box, under its name."""
    found: dict[str, str] = {}
    box = name = ""
    for line in column(text):
        if line.startswith("╭─"):
            box = name = line.strip("╭─╮ ")
            continue
        inside = line[2:].rstrip("│ ") if line.startswith("│") else ""
        if not inside.strip("─ "):
            continue
        if inside.startswith("-") or (box == "positional arguments" and not inside.startswith(" ")):
            declared, _, inside = inside.partition("  ")
            name = declared.split()[0]
        found[name] = f"{found.get(name, '')} {inside.strip()}".strip()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_in_a_sentence(command: str):
    found = options(help_of(*COMMANDS[command]))
    assert found.pop("-h,") == "show this help message and exit"  # is tyro's
    found.pop("subcommands", None)
    for name, text in found.items():
        assert SENTENCE.fullmatch(text if name.startswith(("-", "[", "AGENT")) else f"{text} (required)"), (name, text)


@pytest.mark.parametrize("name", agents.names())
def test_every_setting_of_training_is_shown(name: str):
    p = agents.load(name).profile("smoke")
    sections = {"training": TrainingConfig, "search": SearchConfig, "nets": type(p.nets)}
    wanted = {
        f"--{section}.{field.name}".replace("_", "-")
        for section, kind in sections.items()
        for field in dataclasses.fields(kind)
    }
    found = options(help_of(cli.main, ["train", name, "--profile", "smoke"]))
    assert {option for option in found if "." in option} == wanted
    assert found["--training.steps"] == f"Updates of the nets. (default: {p.training.steps})"


def test_every_setting_of_the_analyses_is_shown():
    wanted = {
        f"--{section.name}.{field.name}".replace("_", "-")
        for section in dataclasses.fields(settings_type())
        if dataclasses.is_dataclass(section.type)
        for field in dataclasses.fields(section.type)
    }
    assert len(wanted) > 15
    assert {option for option in options(help_of(measuring.main, [])) if "." in option} == wanted


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train"], {"--profile": "(default: quick)", "--seeds": "(default: 0:6)", "AGENT": "(required)"}),
        (["train", "cartpole"], {"--profile": "(default: quick)", "--resume-minutes": "(default: 5.0)"}),
        (["train", "cartpole", "--profile", "smoke"], {"--training.batch-size": "(default: 16)", "--seeds": " 0:2)"}),
        (["train", "minatar"], {"--nets.filters": "(default: 16)"}),
        (["play"], {"--profile": "(default: quick)", "--policy": "(default: search)", "AGENT": "(required)"}),
        (["play"], {"--seed": "(default: first)", "--step": "(default: last)"}),
        (["diagnose"], {"--profile": "(default: quick)", "--seeds": "(default: all)", "AGENT": "(required)"}),
        (["diagnose", "breakout"], {"--episodes": "(default: 3)", "--root": "(default: checkpoints)"}),
        (["status"], {"--root": "(default: checkpoints)", "--seeds": "(default: all)"}),
    ],
)
def test_defaults_are_shown(words: list[str], says: dict[str, str]):
    found = options(help_of(cli.main, words))
    for name, end in says.items():
        assert found[name].endswith(end)


def test_the_defaults_of_a_file_are_shown(tmp_path: Path):
    found = options(help_of(cli.main, ["train", own.write(tmp_path)]))
    assert found["--profile"].endswith("(default: smoke)")
    assert found["--nets.latent"].endswith("(default: 8)")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], ["train", "play", "diagnose", "status", "agents", "Exit code 0"]),
        (["agents"], ["Lists what can be trained"]),
    ],
)
def test_commands_are_listed(words: list[str], says: list[str]):
    output = help_of(cli.main, words)
    assert all(text in output for text in says)
