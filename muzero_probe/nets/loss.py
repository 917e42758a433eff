"""The loss of unrolled nets as named terms, in torch operations, for any nets and device; and what nets are.

A term is a function of what the nets predict along the unroll and of the targets, one number a seed. A new one is a
function in `TERMS` and a weight in `config.TrainingConfig.loss_terms`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from muzero_probe.nets.categorical import Support, two_hot
from muzero_probe.nets.layers import Layout, halve_gradient


class Nets(Protocol):
    """Sizes of h, g and f, and their arithmetic; parameters are passed in, named views [S, ...] of `layout`."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of one observation, which h takes flat."""
        ...

    @property
    def actions(self) -> int:
        """A."""
        ...

    @property
    def value_support(self) -> Support:
        """Atoms of the value."""
        ...

    @property
    def reward_support(self) -> Support:
        """Atoms of the reward."""
        ...

    @property
    def layout(self) -> Layout:
        """Where every parameter stands in a seed's vector."""
        ...

    def representation(self, p: dict[str, Tensor], observations: Tensor) -> Tensor:
        """h: observations [S, B, O] -> latents [S, B, ...]."""
        ...

    def dynamics(self, p: dict[str, Tensor], latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """g: latents [S, B, ...], actions [S, B] -> next latents, reward logits [S, B, atoms]."""
        ...

    def prediction(self, p: dict[str, Tensor], latents: Tensor) -> tuple[Tensor, Tensor]:
        """f: latents [S, B, ...] -> value logits [S, B, atoms], policy logits [S, B, A]."""
        ...


class Targets(NamedTuple):
    """One update's training data of S seeds."""

    observations: Tensor  # [S, B, O]
    actions: Tensor  # [S, K, B]
    rewards: Tensor  # [S, K, B] in the task's units
    values: Tensor  # [S, K+1, B]
    policies: Tensor  # [S, K+1, B, A]
    # factors of every row of a term: mask, importance weight, 1/K, 1/B and loss coefficient multiplied
    reward_weights: Tensor  # [S, K, B]
    value_weights: Tensor  # [S, K+1, B]
    policy_weights: Tensor  # [S, K+1, B]


class Unrolled(NamedTuple):
    """What nets predict from B observations along K actions."""

    latents: list[Tensor]  # K+1 of [S, B, ...]
    reward_logits: list[Tensor]  # K of [S, B, atoms]
    value_logits: list[Tensor]  # K+1 of [S, B, atoms]
    policy_logits: list[Tensor]  # K+1 of [S, B, A]


def unroll(nets: Nets, theta: Tensor, observations: Tensor, actions: Tensor) -> Unrolled:
    """Returns the predictions of nets with parameters theta [S, P]; the gradient halves at every step of g."""
    p = nets.layout.views(theta)
    latents = nets.representation(p, observations.to(theta.dtype))
    out = Unrolled([latents], [], [], [])
    for taken in actions.unbind(1):
        _predict(nets, p, out)
        latents, reward_logits = nets.dynamics(p, halve_gradient(out.latents[-1]), taken)
        out.latents.append(latents)
        out.reward_logits.append(reward_logits)
    _predict(nets, p, out)
    return out


def _predict(nets: Nets, p: dict[str, Tensor], out: Unrolled) -> None:
    value_logits, policy_logits = nets.prediction(p, out.latents[-1])
    out.value_logits.append(value_logits)
    out.policy_logits.append(policy_logits)


def reward_loss(nets: Nets, unrolled: Unrolled, targets: Targets) -> Tensor:
    """Returns the weighted cross-entropy of the two-hot rewards, [S]."""
    rewards = two_hot(targets.rewards, nets.reward_support)
    return _summed(unrolled.reward_logits, rewards, targets.reward_weights)


def value_loss(nets: Nets, unrolled: Unrolled, targets: Targets) -> Tensor:
    """Returns the weighted cross-entropy of the two-hot values, [S]."""
    values = two_hot(targets.values, nets.value_support)
    return _summed(unrolled.value_logits, values, targets.value_weights)


def policy_loss(nets: Nets, unrolled: Unrolled, targets: Targets) -> Tensor:
    """Returns the weighted cross-entropy of the search's policies, [S]."""
    return _summed(unrolled.policy_logits, targets.policies, targets.policy_weights)


Term = Callable[[Nets, Unrolled, Targets], Tensor]
MUZERO: dict[str, Term] = {"reward": reward_loss, "value": value_loss, "policy": policy_loss}
TERMS: dict[str, Term] = dict(MUZERO)  # and further ones


def check_terms(further: Iterable[str]) -> None:
    """Refuses terms that `TERMS` does not have beside MuZero's.

    Raises:
        ValueError: in one line.
    """
    there = sorted(TERMS.keys() - MUZERO.keys())
    if unknown := sorted(set(further) - set(there)):
        raise ValueError(
            f"training.loss_terms has {', '.join(unknown)}, but nets.loss.TERMS beside MuZero's: "
            f"{', '.join(there) or 'none'}"
        )


def losses(nets: Nets, theta: Tensor, targets: Targets, further: Mapping[str, float]) -> dict[str, Tensor]:
    """Returns the terms of the loss, [S] each: MuZero's, and further ones of `TERMS` times their weights."""
    unrolled = unroll(nets, theta, targets.observations, targets.actions)
    found = {name: term(nets, unrolled, targets) for name, term in MUZERO.items()}
    return found | {name: weight * TERMS[name](nets, unrolled, targets) for name, weight in further.items()}


def _summed(logits: list[Tensor], targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropies of logits, a list over time of [S, B, n], and targets [S, time, B, n]."""
    total = torch.zeros(len(weights), device=weights.device)
    for k, of_step in enumerate(logits):
        total = total - ((targets[:, k] * of_step.log_softmax(-1)).sum(-1) * weights[:, k]).sum(-1)
    return total
