"""Do the residual nets compute what they say, each seed and each row for itself?"""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from muzero_probe import agents
from muzero_probe.config import ImageNetsConfig, ResidualNetsConfig
from muzero_probe.cpu.model import CompiledModel
from muzero_probe.engine import learned_model
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.nets import loss
from muzero_probe.nets.build import build
from muzero_probe.nets.categorical import Support
from muzero_probe.nets.layers import initial_vector
from muzero_probe.nets.residual import Residual
from tests.doubles import random_batch, random_theta

NETS = Residual(
    image=(20, 17, 3), actions=3, channels=4, head_planes=2, head_hidden=5,
    value_support=Support(low=-3, high=6), reward_support=Support(low=-2, high=2), screens=2,
    backdrop=np.random.default_rng(1).integers(0, 256, (20, 17, 3)),
)  # fmt: skip
S, B = 3, 4
BREAKOUT = agents.load("breakout")


@pytest.fixture
def theta() -> Tensor:
    return random_theta(NETS, seeds=S).double()


@pytest.fixture
def pixels() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (S, B, NETS.observation), generator=generator).double()


class Alone:
    """One seed, one row, with torch's own layers."""

    def __init__(self, theta: Tensor) -> None:
        self.p = {name: torch.tensor(a) for name, a in NETS.layout.arrays(theta.numpy()).items()}

    def layer(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.p[f"{name}.w"].permute(3, 2, 0, 1)
        y = conv2d(x[None], weight, stride=stride, padding=weight.shape[-1] // 2)[0]
        y = (y - y.mean()) / (y.var(correction=0) + 1e-5).sqrt()
        return y * (1 + self.p[f"{name}.scale"][:, None, None]) + self.p[f"{name}.shift"][:, None, None]

    def block(self, name: str, x: Tensor) -> Tensor:
        inner = torch.clamp(self.layer(f"{name}.1", x), min=0)
        return torch.clamp(self.layer(f"{name}.2", inner) + x, min=0)

    def head(self, name: str, x: Tensor) -> Tensor:
        planes = torch.clamp(self.layer(f"{name}.planes", x), min=0).flatten()
        hidden = torch.clamp(planes @ self.p[f"{name}.hidden.w"] + self.p[f"{name}.hidden.b"], min=0)
        return hidden @ self.p[f"{name}.out.w"] + self.p[f"{name}.out.b"]

    def representation(self, observation: Tensor, *, pooled: tuple[str, ...] = ("h.quarter", "h.eighth")) -> Tensor:
        screens = observation.reshape(2, *NETS.image)  # planes of the older one first
        moved = [(screen - torch.tensor(NETS.backdrop)).permute(2, 0, 1) for screen in screens]
        x = torch.cat(moved) / 255
        x = self.block("h.half", torch.clamp(self.layer("h.first", x, 2), min=0))
        inner = torch.clamp(self.layer("h.down.1", x, 2), min=0)
        x = torch.clamp(self.layer("h.down.2", inner) + self.layer("h.down.skip", x, 2), min=0)
        for name in ("h.quarter", "h.eighth"):
            x = self.block(name, x)
            x = largest(x) if name in pooled else x
        return scaled(self.block("h.last", x))

    def dynamics(self, latent: Tensor, action: int) -> Tensor:
        planes = torch.zeros(NETS.actions, *latent.shape[1:], dtype=torch.float64)
        planes[action] = 1
        x = torch.clamp(self.layer("g.first", torch.cat([latent, planes])) + latent, min=0)
        return scaled(self.block("g.block", x))


def largest(x: Tensor) -> Tensor:
    """Of the 3 x 3 windows around every other place."""
    _, H, W = x.shape
    rows = [
        torch.stack([x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].amax((1, 2)) for j in range(0, W, 2)], -1)
        for i in range(0, H, 2)
    ]
    return torch.stack(rows, 1)


def scaled(x: Tensor) -> Tensor:
    return (x - x.min()) / (x.max() - x.min())


def test_every_seed_and_row_equals_the_nets_of_one(theta: Tensor, pixels: Tensor):
    p = NETS.layout.views(theta)
    actions = torch.tensor([[0, 1, 2, 1]] * S)
    latents = NETS.representation(p, pixels)
    following, rewards = NETS.dynamics(p, latents, actions)
    values, policies = NETS.prediction(p, latents)
    assert latents.shape == (S, B, *NETS.latent) == (S, B, 4, 2, 2)
    for s in range(S):
        alone = Alone(theta[s])
        for b in range(B):
            z = alone.representation(pixels[s, b])
            torch.testing.assert_close(latents[s, b], z)
            after = alone.dynamics(z, int(actions[s, b]))
            torch.testing.assert_close(following[s, b], after)
            torch.testing.assert_close(rewards[s, b], alone.head("reward", after))
            x = alone.block("f.block", z)
            torch.testing.assert_close(values[s, b], alone.head("value", x))
            torch.testing.assert_close(policies[s, b], alone.head("policy", x))


def test_what_shrinks_by_eight_is_pooled_once(theta: Tensor, pixels: Tensor):
    nets = dataclasses.replace(NETS, shrinks=8)
    # heads aside the parameters are the same, in the same order
    p = nets.layout.views(torch.nn.functional.pad(theta, (0, nets.layout.size - NETS.layout.size)))
    latents = nets.representation(p, pixels)
    assert latents.shape == (S, B, *nets.latent) == (S, B, 4, 3, 3)
    for s in range(S):
        for b in range(B):
            wanted = Alone(theta[s]).representation(pixels[s, b], pooled=("h.quarter",))
            torch.testing.assert_close(latents[s, b], wanted)


def total_losses(theta: Tensor, batch: list[Tensor]) -> Tensor:
    """All terms of the loss, [S, terms]."""
    return torch.stack(list(loss.losses(NETS, theta, loss.Targets(*batch), {}).values()), -1)


def test_a_seed_s_gradient_is_its_own(theta: Tensor):
    batch = [torch.tensor(field[0]) for field in random_batch(NETS, np.random.default_rng(0), seeds=S, rows=B)]
    batch = [x.double() if x.is_floating_point() else x for x in batch]
    together = theta.clone().requires_grad_()
    losses = total_losses(together, batch)
    (gradient,) = torch.autograd.grad(losses.sum(), together)
    for s in range(S):
        alone = theta[[s]].clone().requires_grad_()
        terms = total_losses(alone, [x[[s]] for x in batch])
        (own,) = torch.autograd.grad(terms.sum(), alone)
        torch.testing.assert_close(losses[[s]], terms)
        torch.testing.assert_close(gradient[[s]], own)


def test_the_learned_model_answers_rows_of_any_seeds(theta: Tensor, pixels: Tensor):
    row_seeds = np.array([0, 0, 0, 2])
    rows = np.stack([pixels[s, i].numpy() for i, s in enumerate(row_seeds)]).astype(np.float32)
    model = learned_model(NETS, theta.float(), row_seeds)
    root = model.root(rows)
    step = model.step(root.states, np.array([0, 1, 2, 0]))
    rolled = model.rollout(root.states, np.array([[0, 1], [1, 1], [2, 0], [0, 0]]))
    assert type(model) is CompiledModel
    np.testing.assert_allclose(rolled[:, 0], step.rewards, rtol=1e-5)
    np.testing.assert_allclose(rolled[:, 1], model.step(step.states, np.array([1, 1, 0, 0])).rewards, rtol=1e-5)
    for i, s in enumerate(row_seeds):
        alone = Alone(theta[s])
        z = alone.representation(torch.tensor(rows[i]).double())
        np.testing.assert_allclose(root.states[i], z, atol=1e-4)
        np.testing.assert_allclose(root.prior_logits[i], alone.head("policy", alone.block("f.block", z)), atol=1e-4)
        np.testing.assert_allclose(step.states[i], alone.dynamics(z, [0, 1, 2, 0][i]), atol=1e-4)


@pytest.mark.parametrize("profile", ["desk", "paper"])
def test_untrained_agents_expect_nothing_and_prefer_no_action(profile: str):
    env = BREAKOUT.make(BREAKOUT.profile(profile).environment)
    nets = BREAKOUT.build(BREAKOUT.profile(profile).nets, env)
    theta = torch.tensor(initial_vector(nets.layout, np.random.default_rng(0)))[None]
    model = learned_model(nets, theta, np.zeros(2, int))
    screens = np.random.default_rng(0).integers(0, 256, (2, *env.observation_shape), dtype=np.uint8)
    root = model.root(screens)
    step = model.step(root.states, np.array([0, 3]))
    for answer in (root, step):
        assert np.abs(np.asarray(answer.values)).max() < 1e-3
        assert np.ptp(np.asarray(answer.prior_logits)) == 0
    assert np.abs(np.asarray(step.rewards)).max() < 1e-3
    assert torch.as_tensor(root.states).std() > 0.1  # which latents are not


@pytest.mark.parametrize("profile", ["desk", "paper"])
def test_a_row_does_not_depend_on_how_many_there_are_nor_on_the_other_agents(profile: str):
    """Bit for bit on a CPU, at the profiles' sizes."""
    env = BREAKOUT.make(BREAKOUT.profile(profile).environment)
    nets = BREAKOUT.build(BREAKOUT.profile(profile).nets, env)
    theta = random_theta(nets, seeds=2).float()
    rng = np.random.default_rng(0)
    N = {"desk": 70, "paper": 20}[profile]
    pixels = rng.integers(0, 256, (N, *env.observation_shape), dtype=np.uint8)
    plans = rng.integers(0, 4, (N, 2))

    def answers(seed: int, rows: slice) -> list[np.ndarray]:
        model = learned_model(nets, theta[seed:], np.zeros(len(pixels[rows]), int))
        root = model.root(pixels[rows])
        step = model.step(root.states, plans[rows, 0])
        return [np.asarray(x) for x in (*root[:4], *step[:4], model.rollout(root.states, plans[rows]))]

    whole = answers(1, slice(0, N))
    for count in (1, 2, 3, 5, 8, 15, 16, 17, N - 1):
        for rows in (slice(0, count), slice(N - count, N)):
            assert all(np.array_equal(p, w[rows]) for p, w in zip(answers(1, rows), whole, strict=True)), count
    both = learned_model(nets, theta, np.repeat([0, 1], [5, N - 5])).root(pixels)
    for seed, rows in ((0, slice(0, 5)), (1, slice(5, N))):
        alone = answers(seed, rows)[:4]
        assert all(np.array_equal(p, np.asarray(w)[rows]) for p, w in zip(alone, both[:4], strict=True))


@pytest.mark.parametrize("config", [ResidualNetsConfig(), ImageNetsConfig()])
def test_observations_that_are_no_images_are_refused(config: ResidualNetsConfig | ImageNetsConfig):
    with pytest.raises(ValueError, match=r"take images of at least \d+ x \d+ with planes, cartpole shows \[4\]"):
        build(config, CartPole())


@pytest.mark.parametrize("profile", ["desk", "paper"])
def test_latents_of_untrained_nets_tell_states_of_a_game_apart(profile: str):
    """A ball is two pixels: without the backdrop a thousandth of the range is left, and no value is learned."""
    env = BREAKOUT.make(BREAKOUT.profile(profile).environment)
    nets = BREAKOUT.build(BREAKOUT.profile(profile).nets, env)
    theta = torch.tensor(initial_vector(nets.layout, np.random.default_rng(0)))[None]
    rng = np.random.default_rng(0)
    states, screens = env.reset(np.arange(16))
    for _ in range(20):
        states, screens, _, _ = env.step(states, rng.integers(0, 4, 16))
    latents = np.asarray(learned_model(nets, theta, np.zeros(16, int)).root(screens).states)
    assert latents.std(0).mean() > 0.02


def test_the_backdrop_is_the_screen_that_games_start_with():
    env = BREAKOUT.make(BREAKOUT.profile("desk").environment)
    nets = build(ResidualNetsConfig(), env)
    assert isinstance(nets, Residual)
    _, screens = env.reset([0])
    assert np.array_equal(nets.backdrop, screens[0, -1])
