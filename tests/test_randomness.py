"""Does a seed draw the same whoever else draws, and do different purposes draw differently?"""

import itertools

import numpy as np
from scipy import stats

from muzero_probe.randomness import GOLDEN, advance, branches, mix, observation_keys, row_keys, stream, uniforms


def test_a_stream_depends_on_seed_purpose_and_labels_alone():
    # labels end with the last that is not 0, so a purpose takes the same number of labels everywhere
    streams = [(7, "noise"), (8, "noise"), (7, "actions"), (7, "noise", 1), (7, "noise", 1, 2), (7, "noise", 2, 1)]
    draws = [stream(*labels).random(8).tolist() for labels in streams]
    assert draws == [stream(*labels).random(8).tolist() for labels in streams]
    for a, b in itertools.combinations(draws, 2):
        assert not set(a) & set(b)


def test_streams_stay_what_they_are():
    # every result of a seed changes with these numbers
    assert stream(0, "weights").integers(2**32, size=3).tolist() == [3813292653, 3010760540, 313492144]
    assert row_keys(3, "planning", 2, 5).tolist() == [213552383598249955, 7627425875767360182]


def test_row_keys_differ_and_do_not_depend_on_the_number_of_rows():
    keys = row_keys(3, "planning", 1000, 5)
    assert keys.dtype == np.uint64 and keys.shape == (1000,)
    assert len(np.unique(keys)) == 1000
    assert np.array_equal(row_keys(3, "planning", 10, 5), keys[:10])


def test_mix_is_splitmix64():
    # first outputs of SplitMix64 with seed 0, as its authors publish them
    found = [int(mix(GOLDEN * np.uint64(1))), int(mix(np.uint64((int(GOLDEN) * 2) % 2**64)))]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_advance_gives_every_row_and_time_its_own_key():
    keys = row_keys(0, "test", 50)
    times = np.stack([advance(keys, t) for t in range(40)])
    assert times.dtype == np.uint64
    assert len(np.unique(times)) == times.size
    assert not np.isin(times, keys).any()
    assert np.array_equal(advance(keys[7:9], 3), times[3, 7:9])


def test_uniforms_are_uniform():
    draws = uniforms(advance(row_keys(1, "test", 20_000), 0))
    assert draws.min() >= 0 and draws.max() < 1
    assert stats.chisquare(np.histogram(draws, 50, (0, 1))[0]).pvalue > 1e-3


def test_uniforms_of_neighbouring_keys_and_times_are_unrelated():
    ascending = uniforms(np.arange(20_000, dtype=np.uint64))
    assert stats.chisquare(np.histogram(ascending, 50, (0, 1))[0]).pvalue > 1e-3
    keys = row_keys(2, "test", 20_000)
    now, then = uniforms(advance(keys, 0)), uniforms(advance(keys, 1))
    assert abs(np.corrcoef(now, then)[0, 1]) < 0.03
    assert abs(np.corrcoef(ascending[:-1], ascending[1:])[0, 1]) < 0.03


def test_keys_of_observations_depend_on_bytes_and_labels_alone():
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(40, 3, 3)).astype(np.float32)
    keys = observation_keys(seen)
    assert keys.dtype == np.uint64 and len(np.unique(keys)) == 40
    assert np.array_equal(observation_keys(seen[::-1])[::-1], keys)
    assert np.array_equal(observation_keys(seen.reshape(40, 9)[5:6]), keys[5:6])
    moved = seen.copy()
    moved[:, 2, 2] = np.nextafter(moved[:, 2, 2], 9)
    assert not np.isin(observation_keys(moved), keys).any()
    labelled = observation_keys(seen, np.arange(40) % 2)
    assert not np.isin(labelled, keys).any() and len(np.unique(labelled)) == 40
    assert np.array_equal(observation_keys(seen[1:2], np.array([1])), labelled[1:2])
    assert observation_keys(np.zeros((0, 4), np.float32)).shape == (0,)


def test_branches_are_streams_of_their_own():
    keys = np.repeat(row_keys(0, "test", 50), 40)
    labels = np.tile(np.arange(40), 50)
    found = branches(keys, labels)
    assert len(np.unique(found)) == 2000 and not np.isin(found, keys).any()
    assert np.array_equal(branches(keys[70:80], labels[70:80]), found[70:80])
