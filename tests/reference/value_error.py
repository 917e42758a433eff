"""How wrong is a model along action sequences? All |A|^h of them, one by one, in plain Python.

    Pr(a_{t:t+h-1} | s_t, pi) = prod_k pi(a_{t+k} | s_{t+k})              (eq 6; all equally likely after a termination)
    v = sum_{k<h} gamma^k r_{t+k},    v_hat = sum_{k<h} gamma^k u_t^k     (eqs 3, 4)
    error of a sequence |v - v_hat|, of a policy |E[v - v_hat]|           (eqs 5, 7)

Real rewards end with a termination; the model is unrolled on.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class World(Protocol):
    """The real environment, one state at a time."""

    num_actions: int

    def terminal(self, state: Any) -> bool:
        """Whether nothing more can happen."""
        ...

    def step(self, state: Any, action: int) -> tuple[Any, float]:
        """Next state and reward."""
        ...


class Guess(Protocol):
    """The learned model, one latent at a time."""

    def step(self, latent: Any, action: int) -> tuple[Any, float]:
        """Next latent and predicted reward."""
        ...


@dataclass(kw_only=True)
class Unrolled:
    """What happens along one action sequence, and what the model says."""

    probability: float
    true: float
    predicted: float
    over: list[bool]  # per step, whether the episode was over before the action
    predicted_rewards: list[float]  # per step

    @property
    def error(self) -> float:
        return abs(self.true - self.predicted)


def unroll(
    world: World,
    guess: Guess,
    state: Any,
    latent: Any,
    actions: Sequence[int],
    *,
    discount: float,
    policy: Callable[[Any], Sequence[float]] | None = None,
) -> Unrolled:
    """One sequence; without a policy its probability is 1."""
    probability, true, predicted = 1.0, 0.0, 0.0
    over, rewards = [], []
    for k, action in enumerate(actions):
        over.append(world.terminal(state))
        if policy is not None:
            probability *= 1 / world.num_actions if over[-1] else policy(state)[action]
        if not over[-1]:
            state, reward = world.step(state, action)
            true += discount**k * reward
        latent, said = guess.step(latent, action)
        predicted += discount**k * said
        rewards.append(said)
    return Unrolled(probability=probability, true=true, predicted=predicted, over=over, predicted_rewards=rewards)


def enumerate_all(
    world: World,
    guess: Guess,
    state: Any,
    latent: Any,
    policy: Callable[[Any], Sequence[float]],
    *,
    length: int,
    discount: float,
) -> list[Unrolled]:
    """All sequences, the last action changing fastest."""
    return [
        unroll(world, guess, state, latent, plan, discount=discount, policy=policy)
        for plan in itertools.product(range(world.num_actions), repeat=length)
    ]


def policy_error(sequences: list[Unrolled], *, alive_reward: float | None) -> dict[str, float]:
    """Eq 7 from all sequences of one length; and how often the last step says that the episode is over."""
    bias = sum(s.probability * (s.true - s.predicted) for s in sequences)
    found = {
        "error": abs(bias),
        "bias": bias,
        "standard_error": 0.0,
        "over": sum(s.probability for s in sequences if s.over[-1]),
        "foreseen": float("nan"),
        "invented": float("nan"),
    }
    if alive_reward is not None:
        said = [s for s in sequences if abs(s.predicted_rewards[-1]) < abs(s.predicted_rewards[-1] - alive_reward)]
        found["foreseen"] = sum(s.probability for s in said if s.over[-1])
        found["invented"] = sum(s.probability for s in said if not s.over[-1])
    return found
