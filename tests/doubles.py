"""Stand-ins that tests share: random nets, models given as tables, the torch path forced onto the CPU."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from muzero_probe.config import TrainingConfig
from muzero_probe.envs.base import Environment
from muzero_probe.envs.planted import TabularEnvironment
from muzero_probe.models import Model, Prediction
from muzero_probe.nets.categorical import Support
from muzero_probe.nets.layers import initial_vector
from muzero_probe.nets.loss import Nets
from muzero_probe.nets.mlp import Mlp
from muzero_probe.nets.residual import Residual
from muzero_probe.training.batch import Batch


def random_nets(
    *,
    observation: int = 5,
    actions: int = 3,
    latent: int = 16,
    hidden: int = 16,
    value: tuple[int, int] = (-3, 10),
    reward: tuple[int, int] = (-2, 2),
    image: tuple[int, int, int] = (0, 0, 0),
    filters: int = 0,
) -> Mlp:
    return Mlp(
        observation=math.prod(image) if filters else observation,
        image=image,
        filters=filters,
        actions=actions,
        latent=latent,
        hidden=hidden,
        value_support=Support(low=value[0], high=value[1]),
        reward_support=Support(low=reward[0], high=reward[1]),
    )


def random_theta(nets: Nets, *, seeds: int = 1, first: int = 0, spread: float = 2.0) -> torch.Tensor:
    """[S, P] random parameters, spread so that predictions differ clearly between states."""
    layout = dataclasses.replace(nets.layout, zeros=())
    vectors = [initial_vector(layout, np.random.default_rng(first + s)) for s in range(seeds)]
    return torch.tensor(np.stack(vectors)) * spread


def random_batch(
    nets: Nets, rng: np.random.Generator, *, updates: int = 1, seeds: int = 1, unroll: int = 3, rows: int = 6
) -> Batch:
    """Targets inside and outside the supports, weights of which some are 0."""
    U, S, K, B, A = updates, seeds, unroll, rows, nets.actions

    def weights(steps: int) -> np.ndarray:
        drawn = rng.uniform(0.2, 1.5, (U, S, steps, B)) / B
        return (drawn * (rng.random(drawn.shape) > 0.15)).astype(np.float32)

    return Batch(
        observations=rng.normal(size=(U, S, B, math.prod(nets.observation_shape))).astype(np.float32),
        actions=rng.integers(0, A, (U, S, K, B)),
        rewards=rng.normal(0, 4, (U, S, K, B)).astype(np.float32),
        values=rng.normal(20, 60, (U, S, K + 1, B)).astype(np.float32),
        policies=rng.dirichlet(np.ones(A), (U, S, K + 1, B)).astype(np.float32),
        reward_weights=weights(K),
        value_weights=weights(K + 1),
        policy_weights=weights(K + 1),
    )


class TableModel(Model):
    """A model given as tables over N states; states are indices [B], and so are observations."""

    def __init__(self, transitions: np.ndarray, rewards: np.ndarray, values: np.ndarray, logits: np.ndarray) -> None:
        self.transitions = transitions  # [N, A]
        self.rewards = rewards.astype(np.float32)  # [N, A]
        self.values = values.astype(np.float32)  # [N]
        self.logits = logits.astype(np.float32)  # [N, A]
        self.num_actions = transitions.shape[1]

    @classmethod
    def random(cls, rng: np.random.Generator, *, states: int, actions: int) -> "TableModel":
        return cls(
            rng.integers(0, states, (states, actions)),
            rng.normal(0, 1, (states, actions)),
            rng.normal(0, 3, states),
            rng.normal(0, 1, (states, actions)),
        )

    def root(self, observations: np.ndarray, states: Any = None) -> Prediction:
        rewards = np.zeros(len(observations), np.float32)
        return Prediction(observations, rewards, self.values[observations], self.logits[observations])

    def step(self, states: np.ndarray, actions: np.ndarray) -> Prediction:
        after = self.transitions[states, actions]
        return Prediction(after, self.rewards[states, actions], self.values[after], self.logits[after])


class OneAtATime:
    """Any model as the `Planner` of the reference search: one row, Python numbers."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def root(self, start: Any) -> tuple[Any, float, list[float]]:
        found = self.model.root(np.asarray(start)[None])
        return found.states, float(found.values[0]), [float(x) for x in found.prior_logits[0]]

    def step(self, state: Any, action: int) -> tuple[Any, float, float, list[float]]:
        found = self.model.step(state, np.array([action]))
        return found.states, float(found.rewards[0]), float(found.values[0]), [float(x) for x in found.prior_logits[0]]


class OneState:
    """An environment as the `World` of the reference value errors."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.num_actions = env.num_actions

    def terminal(self, state: Any) -> bool:
        return bool(self.env.is_terminal(np.asarray(state)[None])[0])

    def step(self, state: Any, action: int) -> tuple[Any, float]:
        found = self.env.step(np.asarray(state)[None], np.array([action]))
        return found.states[0], float(found.rewards[0])


class OneLatent:
    """One row of a model as the `Guess` of the reference value errors."""

    def __init__(self, model: Any, row: int) -> None:
        self.model = model.rows(np.array([row]))

    def root(self, observation: np.ndarray) -> Any:
        return self.model.root(observation[None]).states

    def step(self, latent: Any, action: int) -> tuple[Any, float]:
        found = self.model.step(latent, np.array([action]))
        return found.states, float(found.rewards[0])


class TrueDynamics(Model):
    """The environment itself, as a "learned" model that knows the state behind every observation."""

    def __init__(self, env: Environment, states: np.ndarray) -> None:
        self.env = env
        self.states = states  # [B, ...] where the rows start
        self.num_actions = env.num_actions

    def root(self, observations: np.ndarray, states: Any = None) -> Prediction:
        assert np.array_equal(observations, self.env.observe(self.states))
        return self._predict(self.states, np.zeros(len(observations), np.float32))

    def step(self, states: np.ndarray, actions: np.ndarray) -> Prediction:
        step = self.env.step(states, actions)
        return self._predict(step.states, step.rewards)

    def rollout(self, states: np.ndarray, plans: np.ndarray) -> np.ndarray:
        return self.env.rollout(states, plans)[0]

    def rows(self, selection: Any) -> "TrueDynamics":
        return TrueDynamics(self.env, self.states[selection])

    def _predict(self, states: np.ndarray, rewards: np.ndarray) -> Prediction:
        """Any values, and logits that differ from state to state."""
        logits = np.cos(self.env.observe(states).reshape(len(states), -1) @ self._directions())
        return Prediction(states, rewards, np.zeros(len(states), np.float32), logits.astype(np.float32))

    def _directions(self) -> np.ndarray:
        return np.random.default_rng(0).normal(0, 3, (int(np.prod(self.env.observation_shape)), self.num_actions))


class Observing(TableModel):
    """A table of N latents as a model of a tabular environment with N states: an observation is one-hot."""

    def __init__(self, transitions: np.ndarray, rewards: np.ndarray, logits: np.ndarray | None = None) -> None:
        N, A = transitions.shape
        if logits is None:
            logits = np.random.default_rng(0).normal(size=(N, A))
        super().__init__(transitions, rewards, np.zeros(N), logits)

    def root(self, observations: np.ndarray, states: Any = None) -> Prediction:
        return super().root(observations.argmax(1))


def treadmill(*, time_limit: int | None = 3, states: int = 7) -> TabularEnvironment:
    """Never terminates: action a goes 1 + a states on, and pays (state + 1) / 4 for a = 1, else state / 8."""
    state = np.arange(states)
    transitions = np.stack([(state + 1) % states, (state + 2) % states], 1)
    rewards = np.stack([state / 8, (state + 1) / 4], 1)
    return TabularEnvironment(transitions, rewards, np.zeros(states, bool), name="treadmill", time_limit=time_limit)


def tiny_training(**changes: Any) -> TrainingConfig:
    """Settings of a run that takes seconds."""
    settings: dict[str, Any] = {
        "steps": 30,
        "checkpoints": (0, 7, 20, 30),
        "batch_size": 8,
        "unroll_steps": 3,
        "n_step": 4,
        "environments": 2,
        "updates_per_environment_step": 1.5,
        "warmup_slots": 12,
        "replay_slots": 40,
        "reanalyse_fraction": 0.25,
    }
    return TrainingConfig(**(settings | changes))


MLPS = {
    "square": random_nets(),
    "narrow latent": random_nets(latent=16, hidden=48, actions=2, observation=4),
    "wide latent": random_nets(latent=48, hidden=16, value=(0, 20)),
    "odd": random_nets(latent=10, hidden=7, observation=3, value=(-4, 13), reward=(-1, 4)),
    "image": random_nets(image=(5, 4, 3), filters=16),
    "odd image": random_nets(image=(3, 6, 2), filters=5, latent=10, hidden=7),
    "cartpole": random_nets(latent=64, hidden=64, actions=2, observation=4, value=(0, 20)),
    "minatar": random_nets(image=(10, 10, 4), filters=16, latent=128, hidden=128, value=(0, 5)),
    "large": random_nets(latent=288, hidden=256),
}
of_all_sizes = pytest.mark.parametrize("nets", MLPS.values(), ids=MLPS.keys())


def residual_nets(
    image: tuple[int, int, int],
    *,
    channels: int,
    head_planes: int,
    head_hidden: int,
    screens: int = 2,
    shrinks: int = 16,
) -> Residual:
    return Residual(
        image=image,
        screens=screens,
        shrinks=shrinks,
        actions=3,
        channels=channels,
        head_planes=head_planes,
        head_hidden=head_hidden,
        value_support=Support(low=-3, high=10),
        reward_support=Support(low=-2, high=2),
        backdrop=np.random.default_rng(1).integers(0, 256, image),
    )


def with_pixels(nets: Residual, batch: Batch) -> Batch:
    """A batch whose observations are pixels, bytes as in replay."""
    shape = batch.observations.shape
    return batch._replace(observations=np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8))


RESIDUALS = {
    "smoke": residual_nets((48, 48, 3), channels=4, head_planes=2, head_hidden=8, screens=4),
    "desk": residual_nets((48, 48, 3), channels=16, head_planes=8, head_hidden=32, screens=4),
    "odd": residual_nets((20, 33, 1), channels=7, head_planes=3, head_hidden=5, screens=1),
    "pooled once": residual_nets((24, 17, 1), channels=8, head_planes=3, head_hidden=5, shrinks=8),
    "wide": residual_nets((17, 16, 2), channels=24, head_planes=9, head_hidden=16),
}
of_all_screens = pytest.mark.parametrize("nets", RESIDUALS.values(), ids=RESIDUALS.keys())
