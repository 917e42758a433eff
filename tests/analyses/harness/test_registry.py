"""Is a file all that a question needs, and do all agents' settings fit the questions?"""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import analyses
from analyses.harness import registry
from muzero_probe import agents
from tests.analyses.studies import NAMES

ROOT = Path(analyses.__file__).parents[1]
QUESTION = '''"""How many seeds are there?"""
from dataclasses import dataclass
from analyses.tables import Column

FIGURE = 4
COLUMNS = {"count": Column("int", "", "seeds")}

@dataclass(frozen=True, kw_only=True)
class Settings:
    """Not in the paper."""
    more: int = 3

def measure(agents, settings, inputs):
    return [{"seed": seed, "count": len(agents.seeds) + settings.more} for seed in agents.seeds]
'''
PROGRAM = """
import json
from analyses.harness import registry
print(json.dumps([list(registry.questions()), registry.settings({"counting": {"more": 5}}).counting.more]))
"""


def test_the_listing_is_the_registry():
    defining = {
        path.stem for path in (ROOT / "analyses").glob("*.py") if "\ndef measure(" in path.read_text()
    }  # fmt: skip
    assert set(registry.questions()) == defining
    assert list(registry.questions()) == NAMES
    for name, module in registry.questions().items():
        assert module.__name__ == f"analyses.{name}"
        assert dataclasses.is_dataclass(module.Settings) and module.COLUMNS and module.FIGURE
    sections = {field.name for field in dataclasses.fields(registry.settings_type())}
    assert sections == {"shard", "bank", *NAMES}


def test_a_new_file_is_a_new_question(tmp_path: Path):
    """It is listed by its figure, has settings, is measured and becomes a table by the same command."""
    for package in ("analyses", "muzero_probe"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("tables", "__pycache__"))
    (tmp_path / "analyses" / "counting.py").write_text(QUESTION)

    def run(*words: str) -> str:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert json.loads(run("-c", PROGRAM)) == [[*NAMES[:2], "counting", *NAMES[2:]], 5]
    words = ["--profile", "smoke", "--root", str(ROOT / "checkpoints" / "tiny"), "--jobs", "1", "--counting.more", "7"]
    (path,) = run("-m", "analyses", "counting", *words).splitlines()
    assert path == "analyses/tables/smoke/cartpole/counting.csv"
    rows = [line.split(",") for line in (tmp_path / path).read_text().splitlines() if not line.startswith("#")]
    assert rows[0] == ["agent", "profile", "seed", "repeats", "step", "count"]
    assert [row[-1] for row in rows[1:]] == ["8"] * 6  # shards of one seed


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"planing": {}}, "settings of 'planing' are unknown, there are shard, bank, returns, own_policy, sequences, "),
        ({"bank": {"state": 3}}, "settings of bank: got an unexpected keyword argument 'state'"),
        ({"planning": {"budget": (3,)}}, "settings of planning: got an unexpected keyword argument 'budget'"),
        ({"planning": 3}, "settings of planning: "),
        ({"shard": {"size": 3}}, "settings of shard: "),
        ({"shard": "many"}, "settings of shard: "),
        ({"returns": {"episodes": "many"}}, "settings of returns: "),
    ],
)
def test_unknown_settings(given: dict[str, Any], says: str):
    with pytest.raises(ValueError) as caught:
        registry.settings(given)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


def test_given_settings_are_those_and_defaults_elsewhere():
    found = registry.settings({"shard": 2, "planning": {"budgets": (3,)}, "bank": {"states": 7}})
    assert (found.shard, found.bank.states, found.planning.budgets) == (2, 7, (3,))
    assert found.returns == registry.questions()["returns"].Settings()
    assert dataclasses.replace(found, planning=found.planning) == found


@pytest.mark.parametrize(
    ("agent", "profile"), [(name, profile) for name in agents.names() for profile in agents.load(name).profiles]
)
def test_profiles_choose_checkpoints_that_training_makes(agent: str, profile: str):
    own = agents.load(agent).profile(profile)
    chosen = registry.settings(own.analyses)
    there = set(own.training.checkpoints)
    assert {*chosen.sequences.steps, *chosen.planning.steps, chosen.prior_effect.step} <= there
    for of_bank in (chosen.own_policy, chosen.sequences, chosen.cross_checkpoint, chosen.prior_effect):
        assert of_bank.states <= chosen.bank.states
