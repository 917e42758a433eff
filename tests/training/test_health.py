"""Is a seed whose numbers are no longer finite named at once, whatever it is, and do the others not notice?"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muzero_probe.training.trainer import Metrics, Reached, Sick, Trainer
from tests.training.test_trainer import started

INDEX = 1  # of the seed that is spoilt, of three


def parameters(value: float) -> Callable[[Trainer], None]:
    return moment("theta", value)


def moment(name: str, value: float) -> Callable[[Trainer], None]:
    def spoil(trainer: Trainer) -> None:
        getattr(trainer.learner, name)[INDEX, ::7] = value

    return spoil


def ring(name: str, value: float, *, every: bool = True) -> Callable[[Trainer], None]:
    def spoil(trainer: Trainer) -> None:
        array = trainer.replay.frames.newest if name == "observations" else getattr(trainer.replay, name)
        if every:
            array[INDEX] = value
        else:
            array[INDEX, :, ::3] = value

    return spoil


NAN, INF = np.nan, np.inf
# what is spoilt, and what is named: the first that is not finite once it shows
FAULTS: dict[str, tuple[Callable[[Trainer], None], str]] = {
    "parameters NaN": (parameters(NAN), "parameters"),
    "parameters inf": (parameters(INF), "parameters"),
    "parameters -inf": (parameters(-INF), "parameters"),
    "parameters too large": (parameters(3e38), "moments"),
    "first moments NaN": (moment("mean", NAN), "parameters"),
    "first moments inf": (moment("mean", INF), "parameters"),
    "first moments -inf": (moment("mean", -INF), "parameters"),
    "second moments NaN": (moment("variance", NAN), "parameters"),
    "second moments inf": (moment("variance", INF), "second moments"),
    "rewards NaN": (ring("rewards", NAN), "rewards in replay"),
    "rewards inf": (ring("rewards", INF), "rewards in replay"),
    "some rewards NaN": (ring("rewards", NAN, every=False), "rewards in replay"),
    "values NaN": (ring("values", NAN), "values in replay"),
    "values -inf": (ring("values", -INF), "values in replay"),
    "policies NaN": (ring("policies", NAN), "policies in replay"),
    "policies inf": (ring("policies", INF), "policies in replay"),
    "observations NaN": (ring("observations", NAN), "observations in replay"),
    "observations inf": (ring("observations", INF), "observations in replay"),
    "priorities NaN": (ring("weights", NAN, every=False), "priorities in replay"),
    "priorities inf": (ring("weights", INF, every=False), "priorities in replay"),
}


def run(spoil: Callable[[Trainer], None] | None, *, steps: int = 40) -> tuple[Trainer, list[Any], int]:
    """A training that is spoilt at its first metrics, what it says from then on, and the step of those."""
    trainer = started("cartpole", steps=steps, checkpoints=(0, 20, 40))
    told = trainer.run(metrics_every=10)
    first = next(event for event in told if isinstance(event, Metrics))
    if spoil:
        spoil(trainer)
    return trainer, list(told), first.step


def bits(trainer: Trainer, index: int) -> dict[str, np.ndarray]:
    """Everything of a seed."""
    arrays, _ = trainer.state_dict()
    mine = {name: array[index] for name, array in arrays.items() if array.ndim and len(array) == 3}
    assert {"learner.theta", "learner.exp_avg", "replay.values"} < mine.keys()
    return mine


@pytest.fixture(scope="module")
def healthy() -> Trainer:
    trainer, told, _ = run(None)
    assert not trainer.sick and not any(isinstance(event, Sick) for event in told)
    return trainer


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sick_seed_is_named_and_harms_no_other(healthy: Trainer, fault: str):
    spoil, what = FAULTS[fault]
    with np.errstate(all="ignore"):
        trainer, told, spoilt_at = run(spoil)
    (fallen,) = [event for event in told if isinstance(event, Sick)]
    assert fallen.index == INDEX and what in fallen.what
    assert spoilt_at <= fallen.step <= (20 if fault == "second moments inf" else spoilt_at + 4)  # moves nothing
    assert told.index(fallen) < next(i for i, event in enumerate(told) if isinstance(event, Reached))
    assert trainer.sick == {INDEX: fallen}
    for other in (0, 2):
        wanted = bits(healthy, other)
        for name, array in bits(trainer, other).items():
            assert np.array_equal(array, wanted[name], equal_nan=True), name


def test_who_is_sick_is_part_of_the_state():
    with np.errstate(all="ignore"):
        trainer, _, _ = run(FAULTS["values NaN"][0])
    arrays, meta = trainer.state_dict()
    again = started("cartpole", steps=40, checkpoints=(0, 20, 40))
    again.load_state_dict(arrays, json.loads(json.dumps(meta)))
    assert again.sick == trainer.sick
