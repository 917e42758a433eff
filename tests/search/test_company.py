"""Is a row searched alike in any company, in any parts and by any number of threads?"""

from typing import Any

import numpy as np
import pytest

from muzero_probe import threads
from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.search.mcts import SearchResult, partition, search
from tests.doubles import TableModel, random_nets, random_theta
from tests.search.searches import LEAVES, arguments, assert_same


def rows_of(result: SearchResult, rows: Any) -> SearchResult:
    record = result.record
    if record is not None:
        kept = type(record.tree)(*(field[rows] for field in record.tree))
        record = type(record)(kept, record.trajectories[rows], record.path_lengths[rows])
    said = type(result.said)(*(field[rows] for field in result.said))
    return SearchResult(result.visits[rows], result.values[rows], said, record)


SEARCHES = [(prior, leaf, noise) for prior in ("policy", "uniform") for leaf in LEAVES for noise in (False, True)]


@pytest.mark.parametrize(("prior", "leaf", "noise"), SEARCHES[::2] + SEARCHES[1::4])
def test_a_row_is_searched_alike_in_any_company(prior: Any, leaf: str, noise: bool):
    nets = random_nets()
    B = 23
    rng = np.random.default_rng(2)
    observations = rng.normal(size=(B, nets.observation)).astype(np.float32)
    theta = random_theta(nets)
    given = arguments(TableModel.random(rng, states=2, actions=3), B, noise=noise)

    def run(rows: np.ndarray, observed: np.ndarray = observations) -> SearchResult:
        model = learned_model(nets, theta, np.zeros(len(rows), int))
        chosen = {name: None if x is None else x[rows] for name, x in given.items()}
        config = SearchConfig(simulations=17)
        return search(model, observed[rows], config, prior=prior, leaf=LEAVES[leaf], record=True, **chosen)

    everyone = np.arange(B)
    whole = run(everyone)
    assert_same(run(everyone), whole)
    order = rng.permutation(B)
    assert_same(run(order), rows_of(whole, order))
    for rows in (np.array([4]), np.array([22, 3]), np.arange(7), np.arange(5, 22)):
        assert_same(run(rows), rows_of(whole, rows))
    others = observations.copy()
    kept = everyone % 4 == 1
    others[~kept] = 100 * rng.normal(size=(int((~kept).sum()), nets.observation))
    assert_same(rows_of(run(everyone, others), kept), rows_of(whole, kept))


def test_the_number_of_threads_does_not_matter(restored_threads: None):
    nets = random_nets()
    B = 31
    observations = np.random.default_rng(0).normal(size=(B, nets.observation)).astype(np.float32)
    model = learned_model(nets, random_theta(nets, seeds=4), np.repeat(np.arange(4), [20, 1, 3, 7]))
    results = []
    for count in (1, 2, 3):
        threads.configure(count)
        given = arguments(model, B, noise=True)
        config = SearchConfig(simulations=15)
        results.append(search(model, observations, config, leaf=LEAVES["rollout"], record=True, **given))
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def test_partition_covers_the_rows_by_their_number_alone():
    for rows in [*range(1, 40), 192, 193, 384, 385, 5000]:
        parts = partition(rows)
        sizes = [part.stop - part.start for part in parts]
        assert [part.start for part in parts] == [0, *np.cumsum(sizes)[:-1]]
        assert sum(sizes) == rows and max(sizes) <= 192 and max(sizes) - min(sizes) <= 1
        assert min(sizes) >= (2 if rows > 1 else 1)
        assert len(parts) % 2 == 0 or rows < 4
    assert len(partition(100, part_rows=10)) == 10


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch):
    nets = random_nets()
    observations = np.random.default_rng(0).normal(size=(40, nets.observation)).astype(np.float32)
    model = learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], [25, 15]))
    config = SearchConfig(simulations=10)
    given = {"leaf": LEAVES["rollout"], "record": True, **arguments(model, 40, noise=True)}
    whole = search(model, observations, config, **given)
    from muzero_probe.search import mcts

    monkeypatch.setattr(mcts, "partition", lambda rows: [slice(0, 1), slice(1, 18), slice(18, rows)])
    assert_same(search(model, observations, config, **given), whole)
