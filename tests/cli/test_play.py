"""Does `muzero-probe play` say, and draw, what the agent does and what its model expects?"""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from analyses import returns
from analyses.harness import checkpoints as populations
from analyses.harness.agents import Inputs
from muzero_probe import agents, engine, files
from muzero_probe.checkpoints import checkpoint_path, load_checkpoint
from muzero_probe.cli import animation, play
from muzero_probe.cli import main as cli
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.models.contract import Model
from muzero_probe.probes.foresight import Foresight
from muzero_probe.randomness import stream
from tests.agents import own

TINY = Path(__file__).parents[2] / "checkpoints" / "tiny"
SMOKE = ["play", "cartpole", "--profile", "smoke"]
STEP = 20


def command(root: Path = TINY, **options: Any) -> play.Play:
    return play.Play(agent="cartpole", profile="smoke", root=root, **options)


def model_of(seed: int, step: int) -> Model:
    """A checkpoint's nets, of one row."""
    agent, env = agents.load("cartpole"), CartPole()
    nets = agent.build(agent.profile("smoke").nets, env)
    found = load_checkpoint(checkpoint_path(TINY, "smoke", "cartpole", seed, step))
    return engine.learned_model(nets, torch.tensor(nets.layout.vector(found.arrays))[None], np.zeros(1, np.int64))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(TINY, tmp_path / "root")
    return tmp_path / "root"


def frames_of(path: Path) -> list[np.ndarray]:
    """The frames of a GIF as a viewer shows them."""
    with Image.open(path) as gif:
        shown = []
        for i in range(getattr(gif, "n_frames", 1)):
            gif.seek(i)
            shown.append(np.array(gif.convert("RGB")))
    return shown


# in words


@pytest.mark.parametrize("policy", ["search", "prior"])
def test_a_line_an_episode(policy: str, capsys: pytest.CaptureFixture):
    """They are the episodes of Figure 2, whose mean is in its table."""
    words = ["--root", str(TINY), "--seed", "1", "--step", str(STEP), "--policy", policy, "--episodes", "4"]
    assert cli.main([*SMOKE, *words]) == 0
    output = capsys.readouterr().out.splitlines()
    of = f"search at T = {agents.load('cartpole').profile('smoke').training.temperature(STEP):g}"
    title = f"Cart Pole, seed 1, step {STEP}, {of if policy == 'search' else 'policy prior alone'}"
    totals = []
    for number, line in enumerate(output, 1):
        said, _, rest = line.partition(": return ")
        total, steps, end = rest.split(", ")
        assert (said, end, steps) == (f"{title}: episode {number}", "terminated", f"{total} steps")  # 1 a step
        totals.append(float(total))
    population = populations.find(TINY, "smoke", agents.load("cartpole"), (1,))
    rows = returns.measure(population.agents((1,), STEP, "cpu"), returns.Settings(episodes=4), Inputs())
    (row,) = [row for row in rows if row["policy"] == policy]
    assert len(totals) == row["episodes"] == 4
    assert np.mean(totals) == row["return_mean"]


def test_the_first_episode_is_the_same_in_any_company(capsys: pytest.CaptureFixture):
    for episodes in ("1", "3"):
        assert cli.main([*SMOKE, "--root", str(TINY), "--episodes", episodes]) == 0
    one, again, *_ = capsys.readouterr().out.splitlines()
    assert one == again
    assert "seed 0, step 60, search at T = 0.25" in one  # first seed, last step


def test_the_return_is_that_of_the_actions():
    """Taken again, one by one, from the same start."""
    who = play.player(command(step=STEP))
    episodes, trace = play.played(who, "search", 2)
    env = CartPole()
    states, _ = env.reset([int(stream(0, "returns starts", STEP).integers(2**31))])
    total, over = 0.0, False
    for t, action in enumerate(trace.actions):
        assert not over
        assert np.array_equal(trace.states[t], states[0])
        step = env.step(states, [action])
        states, over = step.states, bool(step.terminated[0])
        total += float(step.rewards[0])
    assert (total, len(trace.actions), over) == (episodes.returns[0], episodes.lengths[0], True)
    assert len(trace.last_states) == 2


def test_a_time_limit_is_told_from_a_termination(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(CartPole, "time_limit", 5)
    assert cli.main([*SMOKE, "--root", str(TINY), "--episodes", "2"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert line.endswith(": return 5, 5 steps, time limit")


# as a picture


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Foresight, int]:
    """An animation, what it was drawn from, and the length of its episode."""
    path = tmp_path_factory.mktemp("drawn") / "x.gif"
    kept: list[animation.Episode] = []
    with pytest.MonkeyPatch.context() as patch:
        write = animation.write

        def keep(episode: animation.Episode, path: Path) -> tuple[int, int]:
            kept.append(episode)
            return write(episode, path)

        patch.setattr(animation, "write", keep)
        assert cli.main([*SMOKE, "--root", str(TINY), "--step", str(STEP), "--out", str(path)]) == 0
    (episode,) = kept
    return path, episode.seen, len(episode.seen.values)


def test_what_is_drawn_is_what_the_model_says(drawn: tuple[Path, Foresight, int]):
    """Value and rewards of its root and steps, along the actions that were taken."""
    _, seen, T = drawn
    _, trace = play.played(play.player(command(step=STEP)), "search", 1)
    model, gamma, K = model_of(0, STEP), 0.997, agents.load("cartpole").profile("smoke").training.unroll_steps
    assert seen.predicted.shape == (T, K) and len(trace.actions) == T
    for t in range(T):
        prediction = model.root(trace.states[t : t + 1].astype(np.float32))
        assert seen.values[t] == prediction.values[0]
        for k in range(min(K, T - t)):
            prediction = model.step(prediction.states, trace.actions[t + k : t + k + 1])
            assert seen.predicted[t, k] == prediction.rewards[0]
            assert seen.real[t, k] == 1
        assert seen.returns[t] == pytest.approx((1 - gamma ** (T - t)) / (1 - gamma))


def test_the_animation_has_a_frame_for_every_state(
    drawn: tuple[Path, Foresight, int], tmp_path: Path, capsys: pytest.CaptureFixture
):
    path, _, T = drawn
    frames = frames_of(path)
    assert len(frames) == T + 1
    assert {frame.shape for frame in frames} == {(266, 640, 3)}
    assert path.stat().st_size < 1_000_000
    again = tmp_path / "again.gif"
    assert cli.main([*SMOKE, "--root", str(TINY), "--step", str(STEP), "--out", str(again)]) == 0
    assert capsys.readouterr().out.endswith(f"\n{again}: {T + 1} frames, {again.stat().st_size / 1e6:.2f} MB\n")
    assert again.read_bytes() == path.read_bytes()
    content, about = files.opened(path.read_bytes())
    assert content.endswith(b";") and about == "cartpole"  # a GIF's own end


def episode(steps: int, *, pictures: Any = None, **seen: Any) -> animation.Episode:
    """An episode that nobody played; one reward is seen ahead."""
    given = {"values": np.zeros(steps), "returns": np.zeros(steps), "predicted": np.zeros((steps, 1)),
             "real": np.zeros((steps, 1))}  # fmt: skip
    blank = np.full((240, 100, 3), 255, np.uint8)
    return animation.Episode(
        agent="nobody", title="nobody", end="the end", cut=False, seen=Foresight(**{**given, **seen}),
        pictures=pictures or (lambda times: np.stack([blank] * len(times))),
    )  # fmt: skip


def pixels(frame: Any, colour: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a colour in the panel, plots only."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    rows, columns = np.nonzero((np.array(frame.convert("RGB"))[:, 100:] == wanted).all(-1))
    inside = columns > animation.LEFT
    return rows[inside], columns[inside]


def test_bars_are_as_high_as_rewards():
    """From the axis on, learned in orange at the left of real in green; as high as the plot is 1."""
    shown = episode(2, predicted=np.array([[0.5], [0.5]]), real=np.array([[1.0], [1.0]]))
    frame = animation.drawn(shown, np.array([0]))[0]
    low, high = (animation.TITLE + 240 - y for y in animation.REWARD)
    middles = []
    for colour, reward in ((animation.EXPECTED, 0.5), (animation.REAL, 1.0)):
        rows, columns = pixels(frame, colour)
        within = (rows > high - 3) & (rows <= low)
        assert np.ptp(rows[within]) + 1 == pytest.approx(reward * (low - high), abs=2)
        assert rows[within].max() == pytest.approx(low, abs=2)
        middles.append(columns[within].mean())
    assert middles[0] < middles[1]


def test_curves_run_through_value_and_return():
    """The dots of the time that is shown, on an axis from the least to the largest number."""
    shown = episode(4, values=np.array([0.0, 3, 0, 0]), returns=np.array([4.0, 1, 0, 0]))
    frame = animation.drawn(shown, np.array([1]))[0]
    low, high = (animation.TITLE + 240 - y for y in animation.VALUE)
    now = animation.LEFT + (animation.RIGHT - animation.LEFT) / 4
    for colour, number in ((animation.EXPECTED, 3), (animation.REAL, 1)):
        rows, columns = pixels(frame, colour)
        dot = (rows > high - 5) & (rows < low + 5) & (columns >= now + 2)  # beyond it the curve is pale
        assert columns[dot].max() == pytest.approx(now + 4, abs=1.5)
        assert rows[dot].mean() == pytest.approx(low - number / 4 * (low - high), abs=1.5)


@pytest.mark.parametrize("numbers", [0.0, 1e-9, -3.0, 7e4])
@pytest.mark.parametrize("steps", [1, 2])
def test_any_numbers_are_drawn(steps: int, numbers: float):
    one = np.full(steps, numbers)
    shown = episode(steps, values=one, returns=one, predicted=one[:, None], real=one[:, None])
    assert len(animation.drawn(shown, np.arange(steps + 1))) == steps + 1


@pytest.mark.parametrize(("steps", "frames"), [(1, 300), (299, 300), (300, 300), (3000, 300), (3000, 17), (7, 3)])
def test_long_episodes_are_shown_in_fewer_frames(steps: int, frames: int):
    shown = animation.times(steps, frames)
    assert shown[0] == 0 and shown[-1] == steps
    assert len(shown) <= frames and (steps >= frames or len(shown) == steps + 1)
    gaps = np.diff(shown)
    assert (gaps > 0).all() and len(set(gaps[:-1].tolist())) <= 1


def test_an_animation_is_never_larger_than_a_megabyte(tmp_path: Path):
    """Of noise, the worst that can be drawn; pictures that are too high are made smaller."""

    def noise(times: np.ndarray) -> np.ndarray:
        return np.stack([np.random.default_rng(t).integers(0, 256, (480, 400, 3), np.uint8) for t in times.tolist()])

    frames, size = animation.write(episode(60, pictures=noise), tmp_path / "noise.gif")
    assert size == (tmp_path / "noise.gif").stat().st_size <= 1_000_000
    shown = frames_of(tmp_path / "noise.gif")
    assert len(shown) == frames < 60
    assert shown[0].shape == (266, 200 + 280, 3)


# what is wrong


def trouble(words: list[str], code: int, capsys: pytest.CaptureFixture) -> str:
    assert cli.main(words) == code
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("muzero-probe: ") and errors.count("\n") == 1
    return errors


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--seed", "7"], 2, "smoke/cartpole: no checkpoints of seed 7, there are those of 0:2"),
        (["--step", "7"], 2, "smoke/cartpole: seed 0 has no checkpoint of step 7, but of 0, 20, 60"),
        (["--out", "no/such/x.gif"], 1, "no/such/x.gif: there is no folder no/such"),
    ],
)
def test_what_is_not_there_is_said(words: list[str], code: int, says: str, capsys: pytest.CaptureFixture):
    assert says in trouble([*SMOKE, "--root", str(TINY), *words], code, capsys)


def test_without_checkpoints_the_command_that_makes_them_is_said(tmp_path: Path, capsys: pytest.CaptureFixture):
    says = f"{tmp_path}/smoke/cartpole: no checkpoints; make them with: muzero-probe train cartpole --profile smoke"
    assert says + f" --root {tmp_path}\n" in trouble([*SMOKE, "--root", str(tmp_path)], 1, capsys)
    words = ["play", "cartpole", "--profile", "paper", "--root", str(TINY)]
    assert trouble(words, 1, capsys).endswith(", or choose profile smoke, which is there\n")


def test_a_damaged_checkpoint_is_named(root: Path, capsys: pytest.CaptureFixture):
    path = checkpoint_path(root, "smoke", "cartpole", 0, 60)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert f"{path}: was altered" in trouble([*SMOKE, "--root", str(root)], 1, capsys)


def test_a_checkpoint_of_another_agent_is_named(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    """A file of the same name as the agent, of which the folder tells nothing."""
    card = own.write(tmp_path, name="cartpole.py")
    errors = trouble(["play", card, "--profile", "smoke", "--root", str(root)], 1, capsys)
    path = checkpoint_path(root, "smoke", "cartpole", 0, 60)
    assert f"{path}: does not fit agent {card} of this version: " in errors


def test_an_agent_without_pictures(tmp_path: Path, capsys: pytest.CaptureFixture):
    """It plays, and says so before it plays if it shall be drawn."""
    card, root = own.write(tmp_path), str(tmp_path / "root")
    assert cli.main(["train", card, "--seeds", "0", "--root", root]) == 0
    capsys.readouterr()
    words = ["play", card, "--root", root, "--step", "0"]
    errors = trouble([*words, "--out", str(tmp_path / "x.gif")], 2, capsys)
    assert "chain-7: there are no pictures of this environment" in errors
    # a chain without a limit ends where the agent finds its end
    assert cli.main([*words, "--policy", "prior"]) == 0
    assert capsys.readouterr().out.startswith("A chain, seed 0, step 0, policy prior alone: episode 1: return 1, ")


def test_an_interruption_is_one_line(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(play, "played", stop)
    assert trouble([*SMOKE, "--root", str(TINY)], 130, capsys) == "muzero-probe: interrupted\n"


def test_where_the_library_was_installed_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Pillow comes with the extra that brings the command line."""
    for name in ("muzero_probe.cli.main", "muzero_probe.cli.play", "muzero_probe.cli.animation"):
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(name, raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)
    from muzero_probe.cli import entry

    assert entry() == 1
    assert capsys.readouterr().err.endswith("PIL is not installed: pip install 'muzero-probe[train]'\n")
