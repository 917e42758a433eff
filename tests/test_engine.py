"""Do nets and loss terms that only torch knows train, search and get probed like the others?"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from muzero_probe import engine
from muzero_probe.config import SearchConfig
from muzero_probe.cpu.learner import CompiledLearner
from muzero_probe.cpu.model import CompiledModel
from muzero_probe.envs.planted import chain
from muzero_probe.models import LearnedModel
from muzero_probe.nets import loss
from muzero_probe.nets.categorical import Support
from muzero_probe.nets.layers import Layout, initial_vector
from muzero_probe.probes.value_error import policy_value_error
from muzero_probe.search.mcts import search
from muzero_probe.training.learner import Learner
from tests.doubles import random_batch, random_nets, random_theta, tiny_training


@dataclass(frozen=True)
class Straight:
    """Nets of one affine map each, as somebody might write them."""

    observation: int
    actions: int = 2
    value_support: Support = field(default_factory=lambda: Support(low=-2, high=2))
    reward_support: Support = field(default_factory=lambda: Support(low=-1, high=1))

    @property
    def observation_shape(self) -> tuple[int, ...]:
        return (self.observation,)

    @property
    def layout(self) -> Layout:
        sizes = {
            "h": (self.observation, 4),
            "g": (4 + self.actions, 4),
            "r": (4, 3),
            "v": (4, 5),
            "p": (4, self.actions),
        }
        return Layout({f"{name}.{part}": shape[i:] for name, shape in sizes.items() for i, part in enumerate("wb")})

    def representation(self, p: dict[str, Tensor], observations: Tensor) -> Tensor:
        return (observations @ p["h.w"] + p["h.b"][:, None]).tanh()

    def dynamics(self, p: dict[str, Tensor], latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        taken = torch.nn.functional.one_hot(actions, self.actions).to(latents.dtype)
        after = (torch.cat([latents, taken], -1) @ p["g.w"] + p["g.b"][:, None]).tanh()
        return after, after @ p["r.w"] + p["r.b"][:, None]

    def prediction(self, p: dict[str, Tensor], latents: Tensor) -> tuple[Tensor, Tensor]:
        return latents @ p["v.w"] + p["v.b"][:, None], latents @ p["p.w"] + p["p.b"][:, None]


def test_nets_of_one_s_own_train_search_and_are_probed():
    env = chain(3)
    nets = Straight(observation=4)
    theta = torch.tensor(np.stack([initial_vector(nets.layout, np.random.default_rng(s)) for s in range(2)]))
    learner = engine.learner(nets, theta, tiny_training())
    assert type(learner) is Learner
    batch = random_batch(nets, np.random.default_rng(0), updates=30, seeds=2)  # pyright: ignore[reportArgumentType]
    before = theta.clone()
    first, last = (learner.update(batch)["policy_loss"] for _ in range(2))
    assert (last < first).all() and not torch.equal(theta, before)
    model = engine.learned_model(nets, theta, np.array([0, 0, 1]))
    assert type(model) is LearnedModel
    states = np.array([0, 1, 2])
    found = search(model, env.observe(states), SearchConfig(simulations=9))
    assert found.visits.sum(1).tolist() == [9, 9, 9]
    errors = policy_value_error(
        env, model, states, lambda rows, seen: np.full((len(rows), 2), 0.5), horizon=3, discount=0.9, samples=None
    )
    by_hand = model.rollout(model.root(env.observe(states)).states, np.array([[1, 1, 1]] * 3))
    assert np.isfinite(errors.error).all() and by_hand.shape == (3, 3)


def entropy(nets: loss.Nets, unrolled: loss.Unrolled, targets: loss.Targets) -> Tensor:
    """A term of one's own: how sure the policy is at the root."""
    log = unrolled.policy_logits[0].log_softmax(-1)
    return (log.exp() * log).sum(-1).mean(-1)


def test_a_loss_term_is_a_function_and_a_weight(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(loss.TERMS, "entropy", entropy)
    nets = random_nets()
    theta = random_theta(nets, seeds=2)
    batch = random_batch(nets, np.random.default_rng(0), seeds=2)
    plain = engine.learner(nets, theta.clone(), tiny_training(weight_decay=0.0, gradient_norm=1e9))
    further = tiny_training(weight_decay=0.0, gradient_norm=1e9, loss_terms={"entropy": 0.5})
    other = engine.learner(nets, theta.clone(), further)
    assert type(plain) is CompiledLearner and type(other) is Learner
    metrics = plain.update(batch), other.update(batch)
    assert metrics[1].keys() == {*metrics[0], "entropy_loss"}
    observed = torch.tensor(batch.observations[0])
    leaf = theta.clone().requires_grad_()
    p = nets.layout.views(leaf)
    _, logits = nets.prediction(p, nets.representation(p, observed))
    chances = logits.softmax(-1)
    term = 0.5 * (chances * chances.log()).sum(-1).mean(-1)
    np.testing.assert_allclose(metrics[1]["entropy_loss"], term.detach(), rtol=1e-5)
    (gradient,) = torch.autograd.grad(term.sum(), leaf)
    # after one update Adam's first moment is a tenth of the gradient
    added = 10 * (other.state_dict()["exp_avg"] - plain.state_dict()["exp_avg"])
    np.testing.assert_allclose(added, gradient, atol=2e-5)
    assert gradient.abs().max() > 1e-3


def test_a_loss_term_that_is_not_there_is_named():
    nets = random_nets()
    with pytest.raises(ValueError, match=r"loss_terms has consistency, but .* beside MuZero's: none"):
        engine.learner(nets, random_theta(nets), tiny_training(loss_terms={"consistency": 1.0}))


@pytest.mark.parametrize("kind", [CompiledModel, CompiledLearner])
def test_compiled_code_refuses_nets_that_it_does_not_know(kind: Any):
    nets = Straight(observation=4)
    third: Any = np.zeros(1, int) if kind is CompiledModel else tiny_training()
    with pytest.raises(TypeError, match="compiled code knows"):
        kind(nets, torch.zeros(1, nets.layout.size), third)
