"""Is an agent that a user's file defines trained, analysed and drawn, without a change to the package?"""

import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np

from examples.acrobot import Acrobot
from muzero_probe.agents import load

ROOT = Path(__file__).parents[2]
CARD = "examples/acrobot.py"


def run(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_takes_the_file(tmp_path: Path):
    checkpoints, tables, out = (str(tmp_path / name) for name in ("checkpoints", "tables", "out"))
    which = ["--agent", CARD, "--profile", "smoke"]
    run("muzero_probe.cli.main", "train", *which, "--seeds", "0,1", "--root", checkpoints)
    made = run("analyses", *which, "--root", checkpoints, "--tables", tables, "--units", str(tmp_path / "units"))
    assert [Path(path).stem for path in made.split()] == [
        "returns", "own_policy", "sequences", "cross_checkpoint", "prior_effect", "planning",
        "search_tree",
    ]  # fmt: skip
    assert len(run("figures", *which, "--tables", tables, "--out", out).split()) == 14
    assert "Planning makes MuZero play better" in run("analyses.claims", *which, "--tables", tables)
    assert (tmp_path / "out" / "smoke" / "planning.png").stat().st_size > 10_000


def test_the_environment_is_gymnasium_s():
    env, theirs = Acrobot(), gymnasium.make("Acrobot-v1", max_episode_steps=-1)
    actions = np.random.default_rng(0).integers(3, size=400)
    states, seen = env.reset([5])
    assert np.array_equal(seen[0], theirs.reset(seed=5)[0])
    for action in actions.tolist():
        step = env.step(states, [action])
        observation, reward, terminated, _, _ = theirs.step(action)
        assert np.array_equal(step.observations[0], observation)
        assert (step.rewards[0], step.terminated[0]) == (reward, terminated)
        states = step.states
        if terminated:
            break


def test_its_episodes_end_and_stay_at_the_end():
    env = Acrobot()
    over = np.array([[np.pi, 0.0, 0.0, 0.0]])
    assert env.is_terminal(over).all()
    step = env.step(over, [1])
    assert np.array_equal(step.states, over) and step.rewards[0] == 0 and step.terminated[0]


def test_the_card_is_named_like_its_file():
    agent = load(str(ROOT / CARD))
    assert agent.name == "acrobot" and set(agent.profiles) == {"smoke", "quick"}
