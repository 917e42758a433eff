"""`python -m benchmarks.lunar_lander`: exact states of Lunar Lander against Gymnasium's own loop, on one core."""

import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from muzero_probe import threads
from muzero_probe.config import SearchConfig
from muzero_probe.envs.lunar_lander import DeterministicLunarLander, LunarLander
from muzero_probe.envs.lunar_lander.image import restore, take
from muzero_probe.models import TrueModel
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import search

ROUNDS = 5
ROWS = 64
HORIZON = 128
SIMULATIONS = 64


def timed(work: Callable[[], int]) -> float:
    """Returns what the work counts per second."""
    start = time.perf_counter()
    return work() / (time.perf_counter() - start)


def gymnasium_loop() -> int:
    """Random actions in Gymnasium's loop, resets included; returns the steps."""
    rng = np.random.default_rng(0)
    game = DeterministicLunarLander()
    steps = 0
    for episode in range(100):
        game.reset(seed=episode)
        terminated = False
        while not terminated:
            _, _, terminated, _, _ = game.step(int(rng.integers(4)))
            steps += 1
    return steps


def training_path() -> int:
    """The same through the contract, `ROWS` environments side by side; every step takes a state."""
    rng = np.random.default_rng(0)
    env = LunarLander()
    states, _ = env.reset(np.arange(ROWS))
    steps, episodes = 0, ROWS
    while steps < 10_000:
        result = env.step(states, rng.integers(4, size=ROWS))
        states = result.states
        steps += ROWS
        ended = np.flatnonzero(result.terminated)
        states[ended], _ = env.reset(episodes + np.arange(len(ended)))
        episodes += len(ended)
    return steps


class Counting(LunarLander):
    """Counts the simulator's steps."""

    steps = 0

    def step(self, states: np.ndarray, actions: np.ndarray):
        """See `LunarLander`."""
        self.steps += int((~self.is_terminal(states)).sum())
        return super().step(states, actions)

    def rollout(self, states: np.ndarray, plans: np.ndarray):
        """See `LunarLander`."""
        rewards, alive = super().rollout(states, plans)
        self.steps += int(alive.sum())
        return rewards, alive


def true_search() -> int:
    """Searches with the true model, uniform prior and rollouts; returns the simulator's steps."""
    env = Counting()
    states, _ = env.reset(np.arange(16))
    config = SearchConfig(simulations=SIMULATIONS, discount=0.999)
    keys = np.arange(16, dtype=np.uint64)
    search(
        TrueModel(env),
        env.observe(states),
        config,
        states=states,
        prior="uniform",
        leaf=RolloutLeaf(horizon=HORIZON),
        keys=keys,
    )
    return env.steps


def images() -> tuple[float, float, float]:
    """Microseconds to take a state and to put one back, and to replay a prefix of 100 steps in Gymnasium."""
    env = LunarLander()
    game = DeterministicLunarLander()
    state, _ = env.reset([0])
    states = []
    actions = ([2, 0, 0] * 34)[:100]
    for action in actions[:50]:
        state = env.step(state, [action]).states
        states.append(state[0].lines)
    memory = state[0].flight.memory
    count = 20_000

    def put_back() -> int:
        for k in range(count):
            restore(memory.addresses, memory.lengths, memory.base, states[k % 50])
        return count

    def taken() -> int:
        for _ in range(count):
            take(memory.addresses, memory.lengths, memory.base, memory.expected)
        return count

    def replay() -> int:
        for _ in range(30):
            game.reset(seed=0)
            for action in actions:
                game.step(action)
        return 30

    return tuple(1e6 / timed(work) for work in (taken, put_back, replay))  # type: ignore[return-value]


def main() -> None:
    """Measures on one core and prints the medians as one line of JSON."""
    threads.configure(1)
    for work in (true_search, training_path, images):
        work()  # compiles
    rounds = []
    for _ in range(ROUNDS):
        ours, gymnasiums, searched = timed(training_path), timed(gymnasium_loop), timed(true_search)
        take_us, restore_us, replay_us = images()
        rounds.append(
            {
                "Lunar Lander training path, k steps/s on one core": ours / 1e3,
                "Gymnasium's own loop, k steps/s on one core": gymnasiums / 1e3,
                "training path / Gymnasium's loop": ours / gymnasiums,
                "true-model search, k simulator steps/s on one core": searched / 1e3,
                "take + restore, microseconds": take_us + restore_us,
                "replay of 100 steps / (take + restore)": replay_us / (take_us + restore_us),
            }
        )
    print(json.dumps({name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}))


if __name__ == "__main__":
    main()
