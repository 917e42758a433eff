"""Do the adapter's nets equal a plain torch version of them, in the environment's own units?"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from examples import muzero_general
from examples.muzero_general import FOLDER, functions, read
from muzero_probe import FunctionModel, ProbedAgent
from muzero_probe.envs import Environment

SOURCE = Path(muzero_general.__file__)
SIZES = {  # observation, actions, latent, hidden, unit of rewards
    "cartpole": (4, 2, 8, 16, 1.0),
    "lunarlander": (8, 4, 10, 64, 3.0),
}
of_both = pytest.mark.parametrize("name", SIZES)


def net(*sizes: int) -> nn.ModuleDict:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ELU()]
    return nn.ModuleDict({"module": nn.Sequential(*layers[:-1])})


class Oracle(nn.Module):
    """One head after the other, actions one-hot, the inverse of h(x) in float64."""

    def __init__(self, observation: int, actions: int, latent: int, hidden: int, unit: float) -> None:
        super().__init__()
        self.actions = actions
        self.unit = unit
        self.representation_network = net(observation, latent)
        self.dynamics_encoded_state_network = net(latent + actions, hidden, latent)
        self.dynamics_reward_network = net(latent, hidden, 21)
        self.prediction_policy_network = net(latent, hidden, actions)
        self.prediction_value_network = net(latent, hidden, 21)

    def initial(self, observations: Tensor) -> tuple[Tensor, ...]:
        states, _, values, logits = self.predict(self.representation_network["module"](observations))
        return states, values, logits

    def recurrent(self, states: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        inputs = torch.cat([states, nn.functional.one_hot(actions, self.actions).float()], 1)
        return self.predict(self.dynamics_encoded_state_network["module"](inputs))

    def predict(self, latents: Tensor) -> tuple[Tensor, ...]:
        low = latents.min(1, keepdim=True).values
        width = latents.max(1, keepdim=True).values - low
        states = (latents - low) / torch.where(width < 1e-5, width + 1e-5, width)
        rewards = self.scalars(self.dynamics_reward_network["module"](latents))
        values = self.scalars(self.prediction_value_network["module"](states))
        return states, rewards, values, self.prediction_policy_network["module"](states)

    def scalars(self, logits: Tensor) -> Tensor:
        y = (logits.softmax(1) * torch.arange(-10, 11)).sum(1).double()
        x = y.sign() * ((((1 + 4 * 0.001 * (y.abs() + 1 + 0.001)).sqrt() - 1) / (2 * 0.001)) ** 2 - 1)
        assert torch.allclose(x.sign() * ((x.abs() + 1).sqrt() - 1) + 0.001 * x, y, rtol=0, atol=1e-12)
        return self.unit * x


class Nets(NamedTuple):
    """The adapter's functions."""

    initial: Any
    recurrent: Any

    @classmethod
    def of(cls, weights: dict[str, np.ndarray], unit: float) -> "Nets":
        return cls(*functions(weights, unit)[:2])


def both(name: str) -> tuple[Nets, Oracle]:
    observation, actions, latent, hidden, unit = SIZES[name]
    oracle = Oracle(observation, actions, latent, hidden, unit)
    weights = read(FOLDER / f"{name}_model.checkpoint")["weights"]
    oracle.load_state_dict({layer: torch.tensor(array) for layer, array in weights.items()})
    return Nets.of(weights, unit), oracle


def observations(name: str, rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (rows, SIZES[name][0])).astype(np.float32)


def assert_equal(found: tuple[np.ndarray, ...], expected: tuple[Tensor, ...]) -> None:
    """States and logits to 1e-5, the scalars between them to 1e-4 and large ones to 1e-5 of their size.

    A value of 160 is no better known: float32 logits alone, torch's against those of a float64 net, move it by 2e-4.
    """
    (states, *scalars, logits) = ((array, tensor.numpy()) for array, tensor in zip(found, expected, strict=True))
    for (array, oracles), atol, rtol in [
        (states, 1e-5, 0),
        (logits, 1e-5, 0),
        *((pair, 1e-4, 1e-5) for pair in scalars),
    ]:
        assert array.dtype == np.float32 and array.flags.c_contiguous
        np.testing.assert_allclose(array, oracles, rtol, atol)


@of_both
@torch.no_grad()
def test_observations_are_read_as_torch_reads_them(name):
    nets, oracle = both(name)
    given = observations(name, 300)
    assert_equal(nets.initial(given), oracle.initial(torch.tensor(given)))


@of_both
@torch.no_grad()
def test_plans_are_followed_as_torch_follows_them(name):
    nets, oracle = both(name)
    given = observations(name, 192)
    states, expected = nets.initial(given)[0], oracle.initial(torch.tensor(given))[0]
    for actions in np.random.default_rng(1).integers(0, SIZES[name][1], (10, 192)):
        found, answer = nets.recurrent(states, actions), oracle.recurrent(expected, torch.tensor(actions))
        assert_equal(found, answer)
        states, expected = found[0], answer[0]


@of_both
def test_rows_do_not_meet_and_inputs_stay(name):
    nets, _ = both(name)
    states = nets.initial(observations(name, 192))[0]
    actions = np.random.default_rng(1).integers(0, SIZES[name][1], 192)
    before = states.copy()
    together = nets.recurrent(states, actions)
    assert np.array_equal(states, before)
    for rows in (slice(0, 1), slice(50, 53)):
        for part, whole in zip(nets.recurrent(states[rows], actions[rows]), together, strict=True):
            assert np.array_equal(part, whole[rows])  # bit for bit


@pytest.mark.parametrize("last", [0.5, 0.5 + 4e-6])
@torch.no_grad()
def test_a_latent_without_width_is_scaled_by_the_floor(last: float):
    weights = read(FOLDER / "cartpole_model.checkpoint")["weights"]
    h = "representation_network.module.0"
    flat = np.array([0.5] * 7 + [last], np.float32)
    weights |= {f"{h}.weight": np.zeros_like(weights[f"{h}.weight"]), f"{h}.bias": flat}
    _, oracle = both("cartpole")
    oracle.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    given = observations("cartpole", 3)
    assert_equal(Nets.of(weights, 1).initial(given), oracle.initial(torch.tensor(given)))


def test_large_logits_do_not_overflow():
    weights = read(FOLDER / "cartpole_model.checkpoint")["weights"]
    large = {name: array + 300 if name.endswith("_network.module.2.bias") else array for name, array in weights.items()}
    large["dynamics_encoded_state_network.module.2.bias"] = weights["dynamics_encoded_state_network.module.2.bias"]
    states, actions = Nets.of(weights, 1).initial(observations("cartpole", 50))[0], np.zeros(50, np.int64)
    _, *expected, _ = Nets.of(weights, 1).recurrent(states, actions)
    _, *found, _ = Nets.of(large, 1).recurrent(states, actions)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_other_layers_are_refused():
    weights = read(FOLDER / "cartpole_model.checkpoint")["weights"]
    weights.popitem()
    with pytest.raises(ValueError, match="not the layers of such an agent"):
        Nets.of(weights, 1)


@pytest.mark.parametrize(
    ("make", "environment", "limit", "step"),
    [
        (muzero_general.cartpole, "cartpole", None, 5_169),
        (muzero_general.lunar_lander, "lunar_lander-flat", 700, 171_959),
    ],
)
def test_agents(make, environment, limit, step):
    agent = make()
    assert isinstance(agent, ProbedAgent)
    assert (getattr(agent.environment, "name", agent.environment)) == environment
    assert getattr(agent.environment, "time_limit", None) == limit
    assert [*agent.models] == [step]


def test_rewards_of_the_lander_are_in_the_environments_units():
    agent = muzero_general.lunar_lander()
    env, (model,) = agent.environment, agent.models.values()
    assert isinstance(env, Environment) and isinstance(model, FunctionModel)
    rng = np.random.default_rng(0)
    states, seen = env.reset(np.arange(8))
    true, predicted = [], []
    for _ in range(60):
        root = model.root(seen)
        actions = (root.prior_logits + rng.gumbel(size=root.prior_logits.shape)).argmax(1)
        step = env.step(states, actions)
        true.append(step.rewards[~step.terminated])
        predicted.append(model.step(root.states, actions).rewards[~step.terminated])
        states, seen = step.states, step.observations
    slope = np.polyfit(np.concatenate(predicted), np.concatenate(true), 1)[0]
    assert slope == pytest.approx(1, abs=0.25)


def test_the_adapter_is_short():
    assert len(SOURCE.read_text().splitlines()) <= 200
