"""Do pictures show the state, all of it and nothing else?"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from ale_py import Action, ALEInterface, LoggerMode, roms
from gymnasium.envs.classic_control import CartPoleEnv

from muzero_probe import agents
from muzero_probe.envs import Environment, Replayed, drawing
from muzero_probe.envs.breakout import ACTIONS, Breakout
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import chain


class Drawn(CartPoleEnv):
    """Shows where the cart is, as a simulator that draws without further packages."""

    def render(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        picture = np.zeros((6, 8, 3), np.uint8)
        assert self.state is not None
        picture[0, 0] = int(100 + 40 * self.state[0])
        return picture


MAKE: dict[str, Callable[[Mapping[str, Any]], Environment]] = {name: agents.load(name).make for name in agents.names()}
MAKE["replayed"] = lambda _: Replayed("drawn", build=lambda: Drawn(render_mode="rgb_array"))


@pytest.fixture(scope="module", params=MAKE)
def env(request: pytest.FixtureRequest) -> Environment:
    return MAKE[request.param]({})


def walk(env: Environment, actions: list[int], *, seed: int = 3) -> np.ndarray:
    """The states along actions."""
    states, _ = env.reset([seed])
    met = [states]
    for action in actions:
        states = env.step(states, [action]).states
        met.append(states)
    return np.concatenate(met)


def coloured(picture: np.ndarray, colour: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of all pixels of a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    rows, columns = np.nonzero((picture == wanted).all(-1))
    return rows, columns


def test_a_picture_is_a_function_of_the_state(env: Environment):
    """Alone, in any order, after any other state, and the environment goes on as if nothing had been drawn."""
    actions = np.random.default_rng(0).integers(0, env.num_actions, 12).tolist()
    states = walk(env, [min(1, env.num_actions - 1), *actions])
    before = env.to_bytes(states)
    pictures = env.render(states)
    assert pictures.dtype == np.uint8
    assert pictures.ndim == 4 and len(pictures) == len(states) and pictures.shape[-1] == 3
    assert len(np.unique(pictures.reshape(len(states), -1), axis=0)) > 2
    assert np.array_equal(env.render(states[::-1])[::-1], pictures)
    assert np.array_equal(env.render(states[5:6])[0], pictures[5])
    assert env.to_bytes(states) == before
    assert env.to_bytes(env.step(states[:-1], [1, *actions]).states) == env.to_bytes(states[1:])
    assert len(env.render(states[:0])) == 0


def test_wrong_states_are_refused(env: Environment):
    with pytest.raises(ValueError, match=f"{env.name}: states must"):
        env.render(env.reset([0])[0].reshape(1, 1, -1))


def test_what_has_no_picture_says_so():
    env = chain()
    with pytest.raises(ValueError, match=r"^chain-5: there are no pictures of this environment$"):
        env.render(env.reset([0])[0])


@pytest.mark.parametrize(("x", "theta"), [(0.0, 0.0), (-2.0, 0.1), (2.3, -0.2)])
def test_the_pole_stands_where_it_stands(x: float, theta: float):
    """Middle of the pole's pixels: half its length above the hinge, which lies at the top of the cart."""
    (picture,) = CartPole().render(np.array([[x, 9.0, theta, 9.0]]))
    rows, columns = coloured(picture, drawing.BLUE)
    unit = 360 / 5.4  # pixels a metre; 5.4 m are seen, the cart's axis 1.3 m above the lower edge
    assert columns.mean() == pytest.approx(unit * (x + 2.7 + 0.5 * np.sin(theta)), abs=1.5)
    assert rows.mean() == pytest.approx(240 - unit * (1.3 + 0.12 + 0.5 * np.cos(theta)), abs=3)
    assert np.ptp(rows) == pytest.approx(unit * np.cos(theta), abs=9)


def test_the_lander_flies_where_it_flies():
    """Middle of the lander's pixels, from the observation: Gymnasium's units of half a screen around the pad."""
    env = agents.load("lunar_lander").make({})
    states = walk(env, [2, 0, 1, 3] * 12)
    for picture, observation in zip(env.render(states), env.observe(states), strict=True):
        rows, columns = coloured(picture, drawing.VIOLET)
        pad = 400 / 30 / 4  # its height; the lander's own position is that of its body, 18/30 above the feet
        assert columns.mean() == pytest.approx(18 * (10 + 10 * observation[0]), abs=4)
        assert rows.mean() == pytest.approx(240 - 18 * (pad + 18 / 30 - 1 + observation[1] * 400 / 60), abs=4)


def test_engines_have_flames():
    """A flame below, at the left or at the right, after the action that fired it."""
    env = agents.load("lunar_lander").make({})
    states = walk(env, [0])
    after = np.concatenate([env.step(states[1:], [action]).states for action in range(4)])
    flames = []
    for picture in env.render(after):
        rows, columns = coloured(picture[:120], drawing.YELLOW)  # the flags stand below
        centre = [values.mean() for values in coloured(picture, drawing.VIOLET)]
        flames.append((rows.mean() - centre[0], columns.mean() - centre[1]) if rows.size else None)
    none, left, main, right = flames
    assert none is None
    assert left[1] < -5 and right[1] > 5 and main[0] > 5 and abs(main[1]) < 5


def test_a_replayed_lander_looks_the_same():
    actions = [2, 0, 1, 3, 2]
    from muzero_probe.envs.lunar_lander import LunarLander, ReplayedLunarLander

    fast, slow = LunarLander(), ReplayedLunarLander()
    assert np.array_equal(fast.render(walk(fast, actions)), slow.render(walk(slow, actions)))


def test_minatar_s_cells_have_the_colours_of_their_planes():
    planes = np.zeros((1, 10, 10, 4), np.uint8)
    planes[0, 9, 4, 0] = planes[0, 2, 3, 1] = planes[0, 3, 4, 2] = planes[0, 1, :, 3] = 1
    planes[0, 9, 5, [0, 1]] = 1  # the paddle shows
    (picture,) = drawing.minatar(planes)
    assert picture.shape == (240, 240, 3)
    paddle, ball, trail, bricks = drawing.CELL_COLOURS
    for (row, column), colour in {
        (9, 4): paddle, (9, 5): paddle, (2, 3): ball, (3, 4): trail, (1, 0): bricks, (1, 9): bricks
    }.items():  # fmt: skip
        inside = picture[24 * row + 1 : 24 * row + 24, 24 * column + 1 : 24 * column + 24]
        assert (inside == colour).all()
    assert not any((picture[60:70, 5:20] == colour).all(-1).any() for colour in drawing.CELL_COLOURS)


def test_breakout_shows_the_console_s_screen():
    """That of a console which plays from the start on, one frame later."""
    env = Breakout(side=48).evaluation  # goes on when a life is lost
    actions = [1, *np.random.default_rng(1).integers(0, 4, 25).tolist()]
    states = walk(env, actions)
    pictures = env.render(states)
    ALEInterface.setLoggerMode(LoggerMode.Error)
    console = ALEInterface()
    console.setFloat("repeat_action_probability", 0.0)
    console.loadROM(str(roms.get_rom_path("breakout")))
    for time in (0, 4, 11, len(actions)):
        console.restoreState(states[0].machine)
        for action in actions[:time]:
            for _ in range(4):
                console.act(ACTIONS[action])
        console.act(Action.NOOP)
        screen = console.getScreenRGB()
        assert np.array_equal(pictures[time][:, ::2], screen)
        assert np.array_equal(pictures[time][:, 1::2], screen)


def test_replayed_pictures_are_gymnasium_s():
    pytest.importorskip("pygame")
    env = Replayed("CartPole-v1")
    actions = [1, 1, 0, 1]
    theirs = gymnasium.make("CartPole-v1", render_mode="rgb_array", disable_env_checker=True)
    theirs.reset(seed=3)
    expected: list[Any] = [theirs.render()]
    for action in actions:
        theirs.step(action)
        expected.append(theirs.render())
    assert np.array_equal(env.render(walk(env, actions)), np.stack(expected))
    assert env._simulator.render_mode is None  # what is measured does not draw


def test_a_simulator_without_pictures_is_named():
    env = Replayed("plain", build=CartPoleEnv)
    with pytest.raises(ValueError, match=r"^replayed:plain: there are no pictures .*: its simulator has no mode rgb_a"):
        env.render(env.reset([0])[0])


def test_a_simulator_whose_package_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch):
    env = Replayed("drawn", build=lambda: Drawn(render_mode="rgb_array"))

    def render(_: Drawn) -> None:
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")

    monkeypatch.setattr(Drawn, "render", render)
    with pytest.raises(ImportError, match=r"^replayed:drawn: pygame is not installed$"):
        env.render(env.reset([0])[0])


def test_without_pillow_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pictures need the package pillow: pip install 'muzero-probe\[train\]'"):
        CartPole().render(np.zeros((1, 4)))


def test_environments_need_no_pillow():
    """The library does without; only pictures ask for it."""
    code = "import sys; sys.modules['PIL'] = None; import muzero_probe.envs.cartpole, muzero_probe.envs.minatar as m"
    subprocess.run([sys.executable, "-c", f"{code}; m.MinAtarBreakout.render"], check=True)
