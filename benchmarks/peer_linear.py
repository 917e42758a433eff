"""Seed-updates/s of a loop over single-seed `nn.Linear` agents; run as a process of its own.

Same nets, batch and losses as `nets.mlp`, written as a usual single-agent PyTorch program. Prints one number.
"""

import sys
import time

import torch
from torch import nn

BATCH, UNROLL, OBSERVATION, WIDTH, ACTIONS, VALUE_ATOMS, REWARD_ATOMS = 128, 10, 4, 64, 2, 21, 5


def two_layers(n_in: int, n_out: int) -> nn.Module:
    """One net."""
    return nn.Sequential(nn.Linear(n_in, WIDTH), nn.ReLU(), nn.Linear(WIDTH, n_out))


class Agent(nn.Module):
    """h, g, f of one seed."""

    def __init__(self) -> None:
        """Builds the nets."""
        super().__init__()
        self.h = two_layers(OBSERVATION, WIDTH)
        self.g = two_layers(WIDTH + ACTIONS, WIDTH)
        self.reward = two_layers(WIDTH, REWARD_ATOMS)
        self.value = two_layers(WIDTH, VALUE_ATOMS)
        self.policy = two_layers(WIDTH, ACTIONS)

    def loss(self, observations, actions, reward_targets, value_targets, policy_targets):
        """Unrolled loss."""
        latent = min_max(self.h(observations))
        total = torch.zeros(())
        for k in range(UNROLL + 1):
            total = total + cross_entropy(self.value(latent), value_targets[k])
            total = total + cross_entropy(self.policy(latent), policy_targets[k])
            if k < UNROLL:
                half = 0.5 * latent + 0.5 * latent.detach()
                latent = min_max(self.g(torch.cat([half, actions[k]], -1)))
                total = total + cross_entropy(self.reward(latent), reward_targets[k])
        return total


def min_max(x: torch.Tensor) -> torch.Tensor:
    """Latents scaled to [0, 1]."""
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    return (x - low) / (high - low).clamp(min=1e-5)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy with target distributions."""
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()


def main() -> None:
    """Times a loop over agents."""
    torch.set_num_threads(int(sys.argv[1]))
    agents = [Agent() for _ in range(30)]
    optimisers = [torch.optim.Adam(agent.parameters(), fused=True) for agent in agents]
    observations = torch.randn(BATCH, OBSERVATION)
    actions = nn.functional.one_hot(torch.randint(ACTIONS, (UNROLL, BATCH)), ACTIONS).float()
    targets = [torch.randn(UNROLL + 1, BATCH, n).softmax(-1) for n in (REWARD_ATOMS, VALUE_ATOMS, ACTIONS)]

    def update(i: int) -> None:
        optimisers[i].zero_grad()
        agents[i].loss(observations, actions, *targets).backward()
        nn.utils.clip_grad_norm_(agents[i].parameters(), 5.0)
        optimisers[i].step()

    for i in range(5):
        update(i)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 4:
        update(count % len(agents))
        count += 1
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
