"""Is it MinAtar's own game, and is it imported only when asked for?"""

import subprocess
import sys

import minatar
import numpy as np
import pytest

from muzero_probe.envs.minatar import MinAtarBreakout


def keep_the_ball(planes: np.ndarray, rng: np.random.Generator) -> int:
    """Follows the ball with the paddle, nine times of ten: games that last and end."""
    paddle = int(planes[9, :, 0].argmax())
    ball = int(planes[:, :, 1].any(0).argmax())
    return int(rng.integers(3)) if rng.random() < 0.1 else (0, 2, 1)[np.sign(ball - paddle)]


def test_games_are_minatars():
    score = lost = 0
    for seed in range(12):
        game = minatar.Environment("breakout", sticky_action_prob=0.0, difficulty_ramping=False)
        game.seed(seed)
        game.reset()
        actions = game.minimal_action_set()
        assert len(actions) == 3
        env, rng = MinAtarBreakout(), np.random.default_rng(seed)
        states, observations = env.reset([seed])
        for _ in range(500):
            assert np.array_equal(observations[0], game.state())
            action = keep_the_ball(observations[0], rng)
            reward, terminated = game.act(actions[action])
            step = env.step(states, [action])
            assert (step.rewards[0], step.terminated[0]) == (reward, terminated)
            states, observations = step.states, step.observations
            score += reward
            if terminated:
                lost += 1
                break
    assert score > 12 and lost > 3


def test_both_serves_occur():
    """A game starts with the ball in the left or in the right corner, by its seed."""
    _, observations = MinAtarBreakout().reset(range(20))
    columns = {int(planes[:, :, 1].any(0).argmax()) for planes in observations}
    assert columns == {0, 9}


def test_the_package_is_imported_when_asked_for_and_not_before(tmp_path):
    code = (
        "import sys; sys.modules['minatar'] = None\n"
        "import muzero_probe.agents.minatar, muzero_probe.training.trainer, muzero_probe.cli.main\n"
        "sys.exit(muzero_probe.cli.main.main(['train', 'minatar', '--profile', 'smoke', '--root', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "muzero-probe: minatar: the package minatar is not installed: pip install 'muzero-probe[minatar]' "
        "(its licence is the GPL)\n"
    )


def test_states_of_another_game_are_refused():
    env = MinAtarBreakout()
    with pytest.raises(ValueError, match="minatar: states"):
        env.step(np.zeros((2, 107), np.uint8), [0, 0])
