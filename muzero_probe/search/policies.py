"""From a search to policies: noise, search, policies, sample (docs/protocol.md, Search)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.config import SearchConfig
from muzero_probe.exact.elementary import power_of_each
from muzero_probe.models.contract import Model, States
from muzero_probe.search.mcts import Said, search


class Searched(NamedTuple):
    """What comes out of the searches from B roots."""

    acting: np.ndarray  # [B, A] pi_MuZero at the temperature, eq 2
    training: np.ndarray  # [B, A] what the policy net is to learn: eq 2 at T = 1
    values: np.ndarray  # [B] float64, mean return backed up to the root
    said: Said


def search_policies(
    model: Model,
    observations: np.ndarray,
    config: SearchConfig,
    *,
    states: States | None = None,
    temperature: float = 1.0,
    noise: np.ndarray | None = None,
    keys: np.ndarray | None = None,
) -> Searched:
    """Searches from B roots with the model's policy prior and value.

    Args:
        model: answers for B rows.
        observations: [B, *observation shape] at the roots.
        config: settings of the search, its rule among them.
        states: [B, ...] the environment's states at the roots, for models that start from them.
        temperature: T of eq 2.
        noise: [B, A], see `root_noise`; None for none.
        keys: [B] uint64 random streams, see `search`.

    Raises:
        ValueError: as `search`.
    """
    door.number("temperature", temperature, 1e-6, 1e6)
    result = search(model, observations, config, states=states, noise=noise, keys=keys)
    training = visit_policy(result.visits, 1.0)
    acting = training if temperature == 1.0 else visit_policy(result.visits, temperature)
    return Searched(acting, training, result.values, result.said)


def root_noise(
    rngs: Sequence[np.random.Generator], counts: Sequence[int], config: SearchConfig, num_actions: int
) -> np.ndarray:
    """Returns Dirichlet noise [sum of the counts, A]: of every stream as many rows as its count says."""
    alpha = np.full(num_actions, config.dirichlet_alpha)
    return np.concatenate([rng.dirichlet(alpha, count) for rng, count in zip(rngs, counts, strict=True)])


def visit_policy(visits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns pi_MuZero of visits [..., A].

        pi_MuZero(a | s) = N(root, a)^(1/T) / sum_b N(root, b)^(1/T)          (eq 2)

    It is computed so that a small T cannot overflow.

    Raises:
        TypeError: if visits are no numpy array of numbers, or T is no number.
        ValueError: if T does not lie in [1e-6, 1e6], or visits are not whole, 0 or more, and one or more in every row.
    """
    door.number("temperature", temperature, 1e-6, 1e6)
    if not isinstance(visits, np.ndarray) or not visits.ndim or not visits.shape[-1]:
        raise TypeError(f"visits must be a numpy array [..., A], not {type(visits).__name__}")
    door.array("visits", visits, visits.shape, low=0)
    if visits.dtype.kind == "f" and (visits != np.rint(visits)).any():
        raise ValueError(f"visits must be whole numbers, {visits[visits != np.rint(visits)][0]:g} is among them")
    if not visits.any(-1).all():
        raise ValueError("visits are all 0 in a row, at least one is needed")
    share = visits / visits.max(-1, keepdims=True)
    weights = power_of_each(share, 1 / temperature)
    return weights / weights.sum(-1, keepdims=True)


def sample_actions(policies: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Returns actions [B] drawn from policies [B, A] with uniform draws [B] in [0, 1).

    Raises:
        TypeError: if an argument is no numpy array of numbers.
        ValueError: if policies are no distributions, or draws lie outside [0, 1) or are of another number.
    """
    door.distributions("policies", policies, ("B", "A"))
    door.array("draws", draws, (len(policies),))
    if draws.size and not 0 <= draws.min() <= draws.max() < 1:
        odd = draws.min() if draws.min() < 0 else draws.max()
        raise ValueError(f"draws must lie in [0, 1), {odd:g} is among them")
    cumulative = np.cumsum(policies, -1)
    return (draws[:, None] * cumulative[:, -1:] >= cumulative).sum(-1)
