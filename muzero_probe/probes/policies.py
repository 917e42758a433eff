"""The policies under study: pi_MuZero, the policy prior, and the planners of Fig 7."""

import numpy as np

from muzero_probe import door
from muzero_probe.config import SearchConfig
from muzero_probe.models.contract import Model, actions_of, checked
from muzero_probe.randomness import observation_keys
from muzero_probe.search.policies import search_policies


def search_policy(
    model: Model, observations: np.ndarray, config: SearchConfig, temperature: float, seeds: np.ndarray | None = None
) -> np.ndarray:
    """Returns pi_MuZero(. | s) [B, A] (eq 2): visit counts of a search without noise, to the power 1/T.

    It is a fixed distribution: ties in the tree are broken by the observation and, where given, the rows' seeds [B].
    """
    keys = observation_keys(_numbers(observations), seeds)
    return search_policies(model, observations, config, temperature=temperature, keys=keys).acting


def prior_policy(model: Model, observations: np.ndarray) -> np.ndarray:
    """Returns the policy prior pi_theta(. | h(s)) [B, A]."""
    actions_of(model)
    _numbers(observations)
    return softmax(checked(model.root(observations), model, len(observations)).prior_logits)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns softmax over the last axis, in float64."""
    door.array("logits", logits, np.shape(logits))
    weights = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def most_visited(visits: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Returns the most visited action [B]; one of several is picked by uniform draws [B] in [0, 1)."""
    door.array("visits", visits, ("B", "A"), low=0)
    door.array("draws", draws, (len(visits),))
    best = visits == visits.max(-1, keepdims=True)
    pick = (draws * best.sum(-1)).astype(np.int64)
    return np.argmax(np.cumsum(best, -1) > pick[:, None], -1)


def _numbers(observations: np.ndarray) -> np.ndarray:
    """Returns observations [B, ...], if they are numbers and finite."""
    if not isinstance(observations, np.ndarray) or not observations.ndim:
        raise TypeError(f"observations must be a numpy array [B, ...], not {type(observations).__name__}")
    return door.array("observations", observations, observations.shape, "fiub")
