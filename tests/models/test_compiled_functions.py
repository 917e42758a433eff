"""Does a model whose functions numba compiled search as the same model does call by call?"""

from typing import Any

import numba
import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.models import ModelError
from muzero_probe.models.functions import FunctionModel, Several
from muzero_probe.search.mcts import search
from tests.doubles import TableModel
from tests.search.searches import LEAVES, arguments, assert_same


def functions(model: TableModel) -> tuple[Any, Any]:
    """A table as two compiled functions; a state is one number."""
    transitions, rewards, values, logits = model.transitions, model.rewards, model.values, model.logits

    @numba.njit(nogil=True)
    def initial(observations):
        at = observations[:, 0].astype(np.int64)
        return observations.astype(np.float32), values[at], logits[at]

    @numba.njit(nogil=True)
    def recurrent(states, actions):
        after = np.empty((len(actions), 1), np.float32)
        gained = np.empty(len(actions), np.float32)
        for b in range(len(actions)):
            at = np.int64(states[b, 0])
            after[b, 0] = transitions[at, actions[b]]
            gained[b] = rewards[at, actions[b]]
        at = after[:, 0].astype(np.int64)
        return after, gained, values[at], logits[at]

    return initial, recurrent


@pytest.mark.parametrize("rule", ["muzero", "efficientzero"])
@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES)
def test_a_compiled_search_is_that_of_single_calls(leaf: Any, prior: Any, rule: Any):
    table = TableModel.random(np.random.default_rng(1), states=60, actions=3)
    model = FunctionModel(*functions(table), num_actions=3)
    starts = np.arange(40, dtype=np.float32)[:, None]
    given = {"leaf": leaf, "prior": prior, **arguments(model, 40, noise=True)}
    config = SearchConfig(simulations=25, rule=rule)
    found = search(model, starts, config, **given)
    assert_same(found, search(table, np.arange(40), config, **given))
    assert len(np.unique(found.visits, axis=0)) > 10


def test_models_side_by_side_search_as_each_alone():
    tables = [TableModel.random(np.random.default_rng(i), states=60, actions=3) for i in range(2)]
    models = [FunctionModel(*functions(table), num_actions=3) for table in tables]
    starts = np.arange(20, dtype=np.float32)[:, None]
    config = SearchConfig(simulations=25)
    together = search(Several(models, np.repeat([0, 1], [7, 13])), starts, config)
    alone = [search(models[0], starts[:7], config), search(models[1], starts[7:], config)]
    assert np.array_equal(together.visits, np.concatenate([result.visits for result in alone]))
    assert np.array_equal(together.values, np.concatenate([result.values for result in alone]))


def test_numbers_that_are_none_are_refused():
    table = TableModel.random(np.random.default_rng(0), states=60, actions=3)
    table.values[:] = np.nan
    model = FunctionModel(*functions(table), num_actions=3)
    with pytest.raises(ModelError, match="FunctionModel: values must be finite, nan is among them"):
        search(model, np.zeros((2, 1), np.float32), SearchConfig(simulations=3))
