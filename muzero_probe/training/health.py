"""Which of a seed's numbers are no longer finite?

A seed whose numbers are not finite is sick for good: its gradients are not applied, so its nets stay as they are, and
what they were is no agent that was trained as it should be. Other seeds do not notice.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from muzero_probe.training.learner import Learner
from muzero_probe.training.replay import Replay

ROWS = 1_000_000  # numbers that are looked at in one piece


def suspects(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the indices of seeds with an update whose losses or gradient were not finite; metrics [S] by name."""
    odd = metrics["skipped"] > 0
    for name, values in metrics.items():
        if name != "skipped":
            odd |= ~np.isfinite(values)
    return np.flatnonzero(odd)


def finite(learner: Learner) -> np.ndarray:
    """Returns of which seeds parameters and moments are finite, [S] bool."""
    found = [tensor.isfinite().all(1).cpu().numpy() for tensor in (learner.theta, learner.mean, learner.variance)]
    return np.logical_and.reduce(found)


def unsound(learner: Learner, replay: Replay) -> list[int]:
    """Returns the indices of seeds of which any number is not finite."""
    seeds = range(len(learner.theta))
    return [seed for seed in seeds if not all(_finite(array) for _, array in _numbers(learner, replay, seed))]


def cause(learner: Learner, replay: Replay, seed: int) -> str:
    """Returns what of the seed at an index is not finite, the first of all in words."""
    return next((name for name, array in _numbers(learner, replay, seed) if not _finite(array)), "gradients")


def _numbers(learner: Learner, replay: Replay, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    for name, tensor in (
        ("parameters", learner.theta),
        ("Adam's first moments", learner.mean),
        ("Adam's second moments", learner.variance),
    ):
        yield name, tensor[seed].cpu().numpy()
    yield "observations in replay", replay.frames.newest[seed]
    for name, what in (
        ("rewards", "rewards in replay"),
        ("values", "values in replay"),
        ("policies", "policies in replay"),
        ("weights", "priorities in replay"),
    ):
        yield what, getattr(replay, name)[seed]


def _finite(array: np.ndarray) -> bool:
    if array.dtype.kind != "f":
        return True
    flat = array.reshape(-1)
    return all(np.isfinite(flat[start : start + ROWS]).all() for start in range(0, flat.size, ROWS))
