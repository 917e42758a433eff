"""What is the loss of one agent, and its gradient? One net, one row at a time, in float64 autograd.

    loss = sum over rows and k <= K of  weight * cross-entropy(target, prediction of the k times unrolled latent)

Every net has one hidden layer with ReLU, which for images is a convolution in h; the latent is scaled to [0, 1];
the reward is read from the next latent; the gradient through the latent is halved at each dynamics step.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, linear

from tests.reference.support import two_hot


def _net(p: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    hidden = torch.clamp(linear(x, p[f"{name}.w1"].T, p[f"{name}.b1"]), min=0)
    return linear(hidden, p[f"{name}.w2"].T, p[f"{name}.b2"])


def _representation(p: dict[str, Tensor], observation: np.ndarray, image: tuple[int, int, int] | None) -> Tensor:
    x = torch.tensor(observation.ravel(), dtype=torch.float64)
    if image is None:
        return _net(p, "h", x)
    planes_first = x.reshape(image).permute(2, 0, 1)
    hidden = torch.clamp(conv2d(planes_first[None], p["h.w1"].permute(3, 2, 0, 1), p["h.b1"]), min=0)
    return linear(hidden.flatten(), p["h.w2"].T, p["h.b2"])


def _scaled(x: Tensor) -> Tensor:
    return (x - torch.min(x)) / (torch.max(x) - torch.min(x))


def _cross_entropy(target: list[float], logits: Tensor) -> Tensor:
    chance = torch.exp(logits) / torch.exp(logits).sum()
    return -(torch.tensor(target, dtype=torch.float64) * torch.log(chance)).sum()


def losses(
    p: dict[str, Tensor],
    *,
    actions: int,
    value_support: tuple[int, int],
    reward_support: tuple[int, int],
    batch: tuple[np.ndarray, ...],
    halve: bool = True,
    image: tuple[int, int, int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Reward, value and policy loss of one agent.

    Args:
        p: float64 parameters by name.
        actions: A.
        value_support: lowest and highest atom. reward_support: the same.
        batch: observations [B, O], actions [K, B], rewards [K, B], values [K+1, B], policies [K+1, B, A],
            reward weights [K, B], value weights [K+1, B], policy weights [K+1, B].
        halve: halve the gradient at each dynamics step.
        image: height, width and planes of an observation that h convolves.
    """
    observations, taken, rewards, values, policies, reward_weights, value_weights, policy_weights = batch
    K, B = taken.shape
    reward_loss = value_loss = policy_loss = torch.zeros((), dtype=torch.float64)
    for b in range(B):
        latent = _scaled(_representation(p, observations[b], image))
        for k in range(K + 1):
            if k > 0:
                into = latent * 1.0
                if halve:
                    into.register_hook(lambda gradient: gradient / 2)
                one_hot = torch.tensor([float(a == taken[k - 1, b]) for a in range(actions)], dtype=torch.float64)
                latent = _scaled(_net(p, "g", torch.cat([into, one_hot])))
                target = two_hot(float(rewards[k - 1, b]), *reward_support)
                term = _cross_entropy(target, _net(p, "reward", latent))
                reward_loss = reward_loss + float(reward_weights[k - 1, b]) * term
            target = two_hot(float(values[k, b]), *value_support)
            value_loss = value_loss + float(value_weights[k, b]) * _cross_entropy(target, _net(p, "value", latent))
            term = _cross_entropy([float(x) for x in policies[k, b]], _net(p, "policy", latent))
            policy_loss = policy_loss + float(policy_weights[k, b]) * term
    return reward_loss, value_loss, policy_loss


def gradient(arrays: dict[str, np.ndarray], **arguments) -> tuple[list[float], np.ndarray]:
    """The three losses, and the gradient of their sum by all parameters in the order of `arrays`."""
    p = {name: torch.tensor(a, dtype=torch.float64, requires_grad=True) for name, a in arrays.items()}
    terms = losses(p, **arguments)
    # a sum without dependence on a parameter (weights all 0) leaves its gradient 0
    found = torch.autograd.grad(torch.stack(list(terms)).sum(), list(p.values()), allow_unused=True)
    flat = [np.zeros(q.numel()) if g is None else g.numpy().ravel() for q, g in zip(p.values(), found, strict=True)]
    return [float(term.detach()) for term in terms], np.concatenate(flat)
