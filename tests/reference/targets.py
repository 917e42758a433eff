"""What is a position trained on? Explicit sums over explicit episodes.

    v_t = sum_{k<n} gamma^k r_{t+k} + gamma^n v_MCTS_{t+n}

After a termination the state is absorbing: reward 0, value 0, and both are trained. A time limit is a
truncation: the value bootstraps with the search's value of the state at which it cut, and nothing past that
state is trained. Terms of the K unrolled steps weigh 1/K.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True)
class Episode:
    """T actions, and how it ended after the last of them."""

    observations: list  # T of them, and one more if a time limit cut it
    actions: list[int]
    rewards: list[float]
    policies: list  # search policies, T
    values: list[float]  # search values, T, and one more if a time limit cut it
    end: Literal["termination", "limit", "running"]

    @property
    def length(self) -> int:
        return len(self.actions)


@dataclass(kw_only=True)
class Unrolled:
    """Targets and factors of one trained position: K + 1 states with K transitions between them."""

    actions: list[int | None]  # None: any action will do
    rewards: list[float]
    reward_factors: list[float]
    values: list[float]
    value_factors: list[float]
    policies: list  # None where it is not trained
    policy_factors: list[float]


def n_step_return(episode: Episode, t: int, *, n: int, discount: float) -> float:
    total = 0.0
    for k in range(n):
        if t + k < episode.length:
            total += discount**k * episode.rewards[t + k]
    if t + n < episode.length:
        return total + discount**n * episode.values[t + n]
    if episode.end == "limit":
        return total + discount ** (episode.length - t) * episode.values[episode.length]
    if episode.end == "termination":
        return total
    raise ValueError("the bootstrap is not known yet")


def bootstrap(episode: Episode, t: int, *, n: int) -> int | None:
    """The time whose search value stands in the return, None where no search value does."""
    if t + n < episode.length:
        return t + n
    return episode.length if episode.end == "limit" else None


def unroll(episode: Episode, t: int, *, unroll_steps: int, n: int, discount: float) -> Unrolled:
    K = unroll_steps
    out = Unrolled(
        actions=[], rewards=[], reward_factors=[], values=[], value_factors=[], policies=[], policy_factors=[]
    )
    for k in range(K + 1):
        factor = 1.0 if k == 0 else 1.0 / K
        if t + k < episode.length:
            out.values.append(n_step_return(episode, t + k, n=n, discount=discount))
            out.value_factors.append(factor)
            out.policies.append(episode.policies[t + k])
            out.policy_factors.append(factor)
        else:
            out.values.append(0.0)
            out.value_factors.append(factor if episode.end == "termination" else 0.0)
            out.policies.append(None)
            out.policy_factors.append(0.0)
    for k in range(K):
        if t + k < episode.length:
            out.actions.append(episode.actions[t + k])
            out.rewards.append(episode.rewards[t + k])
            out.reward_factors.append(1.0 / K)
        else:
            out.actions.append(None)
            out.rewards.append(0.0)
            out.reward_factors.append(1.0 / K if episode.end == "termination" else 0.0)
    return out
