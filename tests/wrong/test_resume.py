"""Is a resume state whose digest holds, but whose contents nobody can have written, refused in one line or harmless?

Harmless is a number that is not finite: its seed is given up by name when training goes on.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muzero_probe.randomness import stream
from muzero_probe.training.trainer import Sick, Trainer
from tests.training.test_trainer import started

TASK = {"steps": 40, "checkpoints": (0, 20, 40)}
REFUSED = (KeyError, ValueError, TypeError)  # what `runs.run` says in one line


def saved() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    trainer = started(**TASK)
    next(event for event in trainer.run(metrics_every=10) if event.step > 0)
    arrays, meta = trainer.state_dict()
    return {name: np.array(array) for name, array in arrays.items()}, json.loads(json.dumps(meta))


ARRAYS, META = saved()


def loaded(arrays: dict[str, np.ndarray], meta: dict[str, Any] = META) -> Trainer:
    trainer = started(**TASK)
    trainer.load_state_dict(arrays, copy.deepcopy(meta))
    return trainer


def with_last(value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        copied = array.copy()
        copied[(-1,) * array.ndim] = value
        return copied

    return change


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "one axis more": lambda array: array[None],
    "empty": lambda array: array[:0] if array.ndim else np.zeros(0, array.dtype),
    "one more": lambda array: np.concatenate([array, array[:1]]) if array.ndim else np.stack([array, array]),
    "one fewer": lambda array: array[:-1] if array.ndim else np.zeros((0, 3), array.dtype),
    "as complex": lambda array: array.astype(complex),
    "as text": lambda array: array.astype(str),
    "as objects": lambda array: array.astype(object),
    "another size of number": lambda array: array.astype(np.float16),
    "unsigned": lambda array: array.astype(np.uint16),
}
INTEGERS = {f"ends in {value}": with_last(value) for value in (-1, 7, 10**9, 2**62, -(2**62))}
REALS = {f"ends in {value}": with_last(value) for value in (-1.0, 7.0)}
ODD = {f"ends in {value}": with_last(value) for value in (np.nan, np.inf, -np.inf)}
# where another number is as good: nothing says what a reward, a parameter or an observation is
ANY_NUMBER = {"learner.theta", "learner.exp_avg", "replay.rewards", "replay.values", "replay.observations"}
ANY_NUMBER |= {"actor.predicted", "actor.met"}
ANY_ABOVE_0 = {"learner.exp_avg_sq"}
# 7 as a length of an episode is one
GOOD = {("actor.lengths", "ends in 7"), ("actor.returns", "ends in -1.0"), ("actor.returns", "ends in 7.0")}


def cases() -> list[tuple[str, str, Callable[[np.ndarray], np.ndarray]]]:
    found = []
    for name, array in ARRAYS.items():
        changes = dict(SHAPES)
        if not array.ndim:  # the same whole number
            del changes["unsigned"]
        if array.dtype.kind in "iu":
            changes |= {k: v for k, v in INTEGERS.items() if array.dtype == np.int64}
        if array.dtype.kind == "f" and name not in ANY_NUMBER:
            changes |= {k: v for k, v in REALS.items() if name not in ANY_ABOVE_0 or "-" in k}
        found += [(name, what, change) for what, change in changes.items() if (name, what) not in GOOD]
    return found


CASES = cases()


def test_the_state_itself_is_sound():
    trainer = loaded(ARRAYS)
    assert not any(isinstance(event, Sick) for event in trainer.run(metrics_every=10))
    assert len(ARRAYS) > 14 and len(CASES) > 150


@pytest.mark.parametrize(("name", "what", "change"), CASES, ids=[f"{name} {what}" for name, what, _ in CASES])
def test_an_array_that_nobody_wrote_is_refused(name: str, what: str, change: Callable[[np.ndarray], np.ndarray]):
    changed = change(ARRAYS[name])
    assert changed.dtype != ARRAYS[name].dtype or not np.array_equal(changed, ARRAYS[name])
    with pytest.raises(REFUSED) as caught:
        loaded(ARRAYS | {name: changed})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("name", [name for name, array in ARRAYS.items() if array.dtype.kind == "f"])
@pytest.mark.parametrize("what", ODD)
def test_a_number_that_is_not_finite_is_refused_or_costs_its_seed(name: str, what: str):
    arrays = ARRAYS | {name: ODD[what](ARRAYS[name])}
    try:
        trainer = loaded(arrays)
    except REFUSED as error:
        assert "\n" not in str(error)
        return
    assert not name.startswith("actor.")
    with np.errstate(all="ignore"):
        told = list(trainer.run(metrics_every=10))
    fallen = [event for event in told if isinstance(event, Sick)]
    assert [event.index for event in fallen] == [2] and told[0] is fallen[0]


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_is_missing_is_refused(name: str):
    with pytest.raises(REFUSED):
        loaded({other: array for other, array in ARRAYS.items() if other != name})


def changed_meta(*path: Any, to: Any) -> dict[str, Any]:
    meta = copy.deepcopy(META)
    place = meta
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return meta


STREAM = META["replay_streams"][0]
WRONG_STREAMS = {
    "nothing": None,
    "another generator": STREAM | {"bit_generator": "MT19937"},
    "without state": {name: value for name, value in STREAM.items() if name != "state"},
    "negative": STREAM | {"state": STREAM["state"] | {"state": -1}},
    "too large": STREAM | {"state": STREAM["state"] | {"state": 2**128}},
    "even increment": STREAM | {"state": STREAM["state"] | {"inc": 4}},
    "text": STREAM | {"state": STREAM["state"] | {"inc": "5"}},
    "half": STREAM | {"uinteger": 0.5},
    "flag 7": STREAM | {"has_uint32": 7},
}
METAS = {f"stream: {name}": changed_meta("replay_streams", 0, to=value) for name, value in WRONG_STREAMS.items()}
METAS |= {
    f"noise: {name}": changed_meta("actor", "streams", "noise", 1, to=value) for name, value in WRONG_STREAMS.items()
}
METAS |= {
    "fewer streams": changed_meta("replay_streams", to=META["replay_streams"][:2]),
    "no noise": changed_meta("actor", "streams", to={}),
    "finished of fewer seeds": changed_meta("actor", "finished", to=[[]]),
    "finished is text": changed_meta("actor", "finished", to="abc"),
    "a finished return of text": changed_meta("actor", "finished", 0, to=["x"]),
    "a finished return NaN": changed_meta("actor", "finished", 0, to=[float("nan")]),
    "fresh below 0": changed_meta("fresh", to=-1),
    "fresh is half": changed_meta("fresh", to=0.5),
    "searched is text": changed_meta("searched", to="many"),
    "a sick seed out of range": changed_meta("sick", to=[[7, 3, "values"]]),
    "a sick seed of later": changed_meta("sick", to=[[1, 10**9, "values"]]),
    "a sick seed of nothing": changed_meta("sick", to=[[1, 3, None]]),
    "a sick seed of two": changed_meta("sick", to=[[1, 3]]),
    "no sick seeds": {name: value for name, value in META.items() if name != "sick"},
    "no actor": {name: value for name, value in META.items() if name != "actor"},
}


@pytest.mark.parametrize("name", METAS)
def test_plain_values_that_nobody_wrote_are_refused(name: str):
    with pytest.raises(REFUSED) as caught:
        loaded(ARRAYS, METAS[name])
    assert "\n" not in str(caught.value)


def test_parts_that_do_not_fit_together_are_refused():
    weights = ARRAYS["replay.weights"]
    for name, array, words in (
        ("learner.step", np.array(20), "step 20 is not where"),
        ("learner.step", np.array(0), "step 0 is not where"),
        ("actor.at_limit", ~ARRAYS["actor.at_limit"], "at_limit must say which lengths"),
        ("replay.weights", np.zeros_like(weights), "weights are 0 at all positions"),
        ("replay.weights", np.ones_like(weights), "0 where a position cannot be drawn"),
        ("replay.policies", ARRAYS["replay.policies"] * 2, "policies must be 0 or more and sum to 1"),
    ):
        with pytest.raises(ValueError, match=words):
            loaded(ARRAYS | {name: array})
    with pytest.raises(ValueError, match="replay: more unknown or missing"):
        loaded(ARRAYS | {"replay.more": np.zeros(1)})


def test_a_stream_goes_on_where_it_was():
    one, other = stream(0, "test"), stream(1, "test")
    one.random(3)
    other.bit_generator.state = one.bit_generator.state
    assert one.random() == other.random()
