"""`python -m benchmarks.breakout`: the acting path of ALE Breakout against `AtariVectorEnv`, on one core.

Both play 20 games with random actions, screens of 96 x 96 in colour, four in an observation, lives as episodes. Ours
takes a state at every step, which `AtariVectorEnv` cannot.
"""

import json
import statistics
import time
from collections.abc import Callable

import numpy as np
from ale_py.vector_env import AtariVectorEnv

from muzero_probe import threads
from muzero_probe.envs.breakout import FRAMES_PER_STEP, NO_OPS, Breakout

ROUNDS = 3
GAMES = 20
STEPS = 100  # of every game


def player() -> Callable[[], None]:
    """Plays on through the contract."""
    env = Breakout()
    states, _ = env.reset(np.arange(GAMES))
    rng = np.random.default_rng(0)
    started = GAMES

    def play() -> None:
        nonlocal states, started
        for _ in range(STEPS):
            result = env.step(states, rng.integers(4, size=GAMES))
            states = result.states
            ended = np.flatnonzero(result.terminated)
            if ended.size:
                states[ended], _ = env.restart(states[ended], started + np.arange(ended.size))
                started += ended.size

    return play


def peer() -> Callable[[], None]:
    """The same in `AtariVectorEnv`."""
    games = AtariVectorEnv(
        game="breakout", num_envs=GAMES, num_threads=1, frameskip=FRAMES_PER_STEP, stack_num=4, grayscale=False,
        img_height=96, img_width=96, maxpool=True, noop_max=NO_OPS, episodic_life=True, reward_clipping=True,
        repeat_action_probability=0.0,
    )  # fmt: skip
    games.reset(seed=0)
    rng = np.random.default_rng(0)

    def play() -> None:
        for _ in range(STEPS):
            games.step(rng.integers(4, size=GAMES))

    return play


def main() -> None:
    """Measures on one core and prints the medians as one line of JSON."""
    threads.configure(1)
    ours, theirs = player(), peer()
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    for k in range(ROUNDS + 1):
        for name, play in (("ours", ours), ("theirs", theirs)):
            start = time.perf_counter()
            play()
            if k:  # the first round warms up
                rates[name].append(GAMES * STEPS * FRAMES_PER_STEP / (time.perf_counter() - start))
    ratios = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    print(
        json.dumps(
            {
                "Breakout acting path, k frames/s on one core": statistics.median(rates["ours"]) / 1e3,
                "AtariVectorEnv, k frames/s on one core": statistics.median(rates["theirs"]) / 1e3,
                "acting path / AtariVectorEnv": statistics.median(ratios),
            }
        )
    )


if __name__ == "__main__":
    main()
