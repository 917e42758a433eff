"""One run: an algorithm of stable-baselines3, trained with one seed and played as the analysis `returns` plays."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import LinearSchedule

from baselines.copies import Copies, view
from baselines.hyperparameters import Baseline
from muzero_probe.envs.base import Environment
from muzero_probe.probes.episodes import Act, play, reset_seeds
from muzero_probe.randomness import advance, row_keys, stream, uniforms

ALGORITHMS: dict[str, type[DQN] | type[PPO]] = {"dqn": DQN, "ppo": PPO}


class MinAtarNet(BaseFeaturesExtractor):
    """MinAtar's own net up to its last layer (Young and Tian 2019): 16 filters of 3 x 3, 128 rectified units."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=128)
        planes, height, width = observation_space.shape
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(planes, 16, kernel_size=3),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(16 * (height - 2) * (width - 2), 128),
            torch.nn.ReLU(),
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Returns features [B, 128] of planes [B, C, H, W]."""
        return self.layers(observations)


def whole(algorithm: str, baseline: Baseline, steps: int) -> int:
    """Returns a number of environment steps, rounded up to whole rounds of acting, which the library does not cut."""
    size = baseline.environments * baseline.values["n_steps" if algorithm == "ppo" else "train_freq"]
    return math.ceil(steps / size) * size


def untrained(algorithm: str, baseline: Baseline, env: Environment, *, steps: int, seed: int) -> BaseAlgorithm:
    """Returns an agent that is to be trained for `whole` environment steps.

    Args:
        algorithm: of `ALGORITHMS`.
        baseline: its hyperparameters.
        env: what it plays.
        steps: environment steps of all copies together.
        seed: of weights, actions, minibatches and resets.
    """
    total = whole(algorithm, baseline, steps)
    values = {name: _scheduled(value) for name, value in baseline.values.items()}
    if "buffer_size" in values:
        values["buffer_size"] = min(values["buffer_size"], total)  # what is never filled need not be held
    copies = Copies(env, baseline.environments, stream(seed, f"{algorithm} resets"))
    policy, of_policy = _policy(baseline)
    return ALGORITHMS[algorithm](policy, copies, seed=seed, device="cpu", policy_kwargs=of_policy, **values)


def measure(
    make: Callable[[], Environment],
    algorithm: str,
    baseline: Baseline,
    *,
    steps: int,
    seed: int,
    episodes: int,
    label: int,
) -> list[dict[str, Any]]:
    """Trains one agent and returns a row per way of playing: greedily, and by PPO's own distribution.

    Args:
        make: makes the environment.
        algorithm: as in `untrained`.
        baseline: as in `untrained`.
        steps: as in `untrained`.
        seed: as in `untrained`, and of the episodes.
        episodes: to play, from the starts of the analysis `returns` of the same seed.
        label: checkpoint of MuZero whose starts are taken.
    """
    env = make()
    agent = untrained(algorithm, baseline, env, steps=steps, seed=seed)
    agent.learn(whole(algorithm, baseline, steps))
    agent.policy.set_training_mode(False)
    starts = reset_seeds(seed, "returns starts", episodes, label)
    keys = row_keys(seed, "returns keys", episodes, label)
    rows = []
    for policy, act in _players(agent, env, keys).items():
        played = play(env, starts, act)
        rows.append(
            {
                "seed": seed,
                "algorithm": algorithm,
                "policy": policy,
                "environment_steps": agent.num_timesteps,
                "return_mean": played.returns.mean(),
                "length_mean": played.lengths.mean(),
                "episodes": episodes,
            }
        )
    return rows


def drawn(probabilities: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Returns actions [B] of distributions [B, A] by uniform draws [B] in [0, 1).

    As `search.policies.sample_actions`; importing that would train all anew whenever the search changes.
    """
    cumulative = np.cumsum(probabilities, -1)
    return (draws[:, None] * cumulative[:, -1:] >= cumulative).sum(-1)


def _players(agent: BaseAlgorithm, env: Environment, keys: np.ndarray) -> Mapping[str, Act]:
    """Returns the ways in which an agent plays; `keys` are the streams of the episodes."""
    shown, _ = view(env)

    def greedy(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        return agent.predict(shown(observations), deterministic=True)[0]

    if not isinstance(agent, PPO):
        return {"greedy": greedy}
    actor = agent.policy

    def sampled(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        with torch.no_grad():
            distribution: Any = actor.get_distribution(actor.obs_to_tensor(shown(observations))[0]).distribution
        return drawn(distribution.probs.double().numpy(), uniforms(advance(keys[rows], time)))

    return {"greedy": greedy, "sampled": sampled}


def _policy(baseline: Baseline) -> tuple[str, dict[str, Any]]:
    """Returns the library's name of a policy, and its keyword arguments."""
    given = dict(baseline.nets_values)
    if "optimizer_class" in given:
        given["optimizer_class"] = getattr(torch.optim, given["optimizer_class"])
    if baseline.nets == "minatar":
        # its features go straight into the heads
        given |= {"features_extractor_class": MinAtarNet, "net_arch": []}
    return "CnnPolicy" if baseline.nets == "nature" else "MlpPolicy", given


def _scheduled(value: Any) -> Any:
    """Returns the schedule that a text names; other values as they are."""
    if not isinstance(value, str):
        return value
    return LinearSchedule(float(value.removeprefix("linear ")), 0.0, 1.0)
