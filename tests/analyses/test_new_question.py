"""Is a new question three files, a probe, an analysis and a figure, and no other line?"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
FILES = {
    "muzero_probe/probes/surprise.py": '''
"""How sure is the prior?"""

import numpy as np

from muzero_probe.models.contract import Model
from muzero_probe.probes.policies import prior_policy


def surprise(model: Model, observations: np.ndarray) -> np.ndarray:
    """Returns the entropy of the policy prior [B], nats."""
    policy = prior_policy(model, observations)
    return -(policy * np.log(policy)).sum(-1)
''',
    "analyses/surprise.py": '''
"""How sure is the prior?"""

from dataclasses import dataclass

from analyses.harness import banks
from analyses.tables import Column
from muzero_probe.probes.surprise import surprise

FIGURE = 8
BANK = True
COLUMNS = {"entropy": Column("float", "nats", "entropy of the policy prior, mean over states")}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 8."""

    states: int = 3
    """States per seed, from the bank."""


def measure(agents, settings, inputs):
    """Returns a row per seed."""
    states, row_seeds = banks.read(inputs.bank, agents, settings.states)
    found = surprise(agents.model(row_seeds), agents.env.observe(states))
    return [{"seed": seed, "entropy": found[of_seed].mean()} for seed, of_seed in agents.each(row_seeds)]
''',
    "figures/surprise.py": '''
"""How sure is the prior?"""

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "entropy")


@style.context()
def draw(tables):
    """Draws the entropy against the training step."""
    figure, grid = style.panels(1, len(tables))
    for (agent, table), axes in zip(tables.items(), grid[0], strict=True):
        style.line(axes, stats.across_seeds(table, "entropy", by=["step"]), "step", color=style.BLUE)
        axes.set_title(style.title(table, agent))
    return figure
''',
}


def test_three_files_are_a_question(tmp_path: Path):
    for folder in ("muzero_probe", "analyses", "figures", "checkpoints/tiny"):
        skipped = shutil.ignore_patterns("__pycache__", "tables", "units", "out")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skipped)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.lstrip())

    def run(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    words = ["--profile", "smoke", "--root", "checkpoints/tiny", "--jobs", "1", "--surprise.states", "2"]
    (path,) = run("analyses", "surprise", *words).split()
    table = pd.read_csv(tmp_path / path, comment="#")
    assert table.columns.tolist() == ["agent", "profile", "seed", "repeats", "step", "entropy"]
    assert table["step"].tolist() == [0, 20, 60] * 2 and table["entropy"].between(0, 0.7).all()
    assert len(run("figures", "surprise", "--profile", "smoke").split()) == 2
    assert "surprise" in run("analyses", "--help")
