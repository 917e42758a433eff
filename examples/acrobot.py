"""An agent of one's own: Acrobot, trained, analysed and drawn like the study's, without a change to the package.

    muzero-probe train examples/acrobot.py --profile smoke
    python -m analyses --agent examples/acrobot.py --profile smoke
    python -m figures --agent examples/acrobot.py --profile smoke

AGENT is all that these commands ask for. Its environment could be the text "Acrobot-v1": states of a Gymnasium
environment are then replayed from their reset, which is right and slow. A state of four numbers can be put back.
"""

import threading

import numpy as np
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from numpy.typing import ArrayLike

from muzero_probe import Environment, SearchConfig, StepResult
from muzero_probe.agents import SMOKE, SMOKE_ANALYSES, Agent, Profile, replace
from muzero_probe.config import NetsConfig, TrainingConfig


class Acrobot(Environment):
    """Gymnasium's Acrobot, from any state: two angles and two angular velocities, [B, 4] float64."""

    name = "acrobot"
    num_actions = 3
    observation_shape = (6,)
    time_limit = 500
    state_dtype = np.float64
    state_shape = (4,)

    def __init__(self) -> None:
        """One simulator stands behind all rows: threads take turns."""
        self._game = AcrobotEnv()
        self._turn = threading.Lock()

    def reset(self, seeds: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Starts B episodes."""
        states = np.empty((len(self._check_seeds(seeds)), 4))
        with self._turn:
            for state, seed in zip(states, self._check_seeds(seeds), strict=True):
                self._game.reset(seed=seed)
                state[:] = self._game.state
        return states, self.observe(states)

    def observe(self, states: np.ndarray) -> np.ndarray:
        """Cosine and sine of both angles, and the velocities."""
        one, two, *velocities = self._check_states(states).T
        return np.stack([np.cos(one), np.sin(one), np.cos(two), np.sin(two), *velocities], 1).astype(np.float32)

    def is_terminal(self, states: np.ndarray) -> np.ndarray:
        """Whether the tip is above the line."""
        one, two = self._check_states(states).T[:2]
        return -np.cos(one) - np.cos(two + one) > 1.0

    def step(self, states: np.ndarray, actions: ArrayLike) -> StepResult:
        """Every step costs 1, but for the one that ends the episode."""
        after = self._check_states(states).copy()
        chosen = self._check_actions(actions, "actions", (len(after),))
        rewards = np.zeros(len(after), np.float32)
        with self._turn:
            for b in np.flatnonzero(~self.is_terminal(states)):
                self._game.state = states[b]
                _, rewards[b], *_ = self._game.step(int(chosen[b]))
                after[b] = self._game.state
        return StepResult(after, self.observe(after), rewards, self.is_terminal(after))


QUICK = Profile(
    nets=NetsConfig(value_low=-20, value_high=1, reward_low=-2, reward_high=1),
    search=SearchConfig(discount=0.99),
    training=TrainingConfig(steps=10_000, checkpoints=(0, 1_000, 2_000, 5_000, 10_000)),
    seeds=6,
    analyses={
        "shard": 3,
        "bank": {"episodes": 6, "states": 20},
        "own_policy": {"states": 20, "samples": 32},
        "cross_checkpoint": {"states": 6, "samples": 32},
        "planning": {"steps": (1_000, 10_000), "episodes": 1},
    },
)

TINY = replace(
    QUICK,
    nets={"latent": 16, "hidden": 16},
    search={"simulations": 8},
    training=SMOKE,
    seeds=2,
    analyses=SMOKE_ANALYSES,
)

AGENT = Agent(title="Acrobot", environment=Acrobot, profiles={"smoke": TINY, "quick": QUICK})
