"""Are the states that analyses measure at those that the agents visit, the same for all analyses and shards?"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from analyses.harness import banks, units
from analyses.harness.agents import Agents
from analyses.harness.checkpoints import Checkpoints
from analyses.harness.settings import Bank
from analyses.harness.study import Work
from muzero_probe.probes.episodes import play
from muzero_probe.randomness import advance, uniforms
from tests.analyses.studies import ONE, QUIET


def made(
    tiny: Checkpoints, folder: Path, *, seeds: tuple[int, ...] = (0, 1, 2), step: int = 20, bank: Bank | None = None
) -> tuple[Path, Agents]:
    unit = Work(tiny, folder, "cpu").bank(bank or Bank(episodes=2, states=6), seeds, step)
    units.complete([unit], runner=ONE, console=QUIET)
    return unit.path, tiny.agents(seeds, step, "cpu")


def read(
    tiny: Checkpoints, folder: Path, *, take: int, seeds: tuple[int, ...] = (0, 1, 2), bank: Bank | None = None
) -> dict[int, np.ndarray]:
    """Every seed's first states."""
    states, row_seeds = banks.read(*made(tiny, folder, seeds=seeds, bank=bank), take)
    assert (np.diff(row_seeds) >= 0).all()
    return {seed: states[row_seeds == index] for index, seed in enumerate(seeds)}


def test_the_first_states_are_the_same_however_many_are_read(tiny: Checkpoints, tmp_path: Path):
    whole = read(tiny, tmp_path, take=6)
    few = read(tiny, tmp_path, take=2)
    for seed in (0, 1, 2):
        assert whole[seed].shape == (6, 4)
        assert np.array_equal(few[seed], whole[seed][:2])
    assert not np.array_equal(whole[0], whole[1])


def test_a_seed_s_bank_does_not_depend_on_the_shard(tiny: Checkpoints, tmp_path: Path):
    together = read(tiny, tmp_path, take=6)
    for seeds in ((1,), (1, 2)):
        for seed, states in read(tiny, tmp_path, take=6, seeds=seeds).items():
            assert np.array_equal(states, together[seed])


def visits(tiny: Checkpoints, *, seed: int, step: int, episodes: int) -> np.ndarray:
    """All states of an agent's bank episodes, with its searches one step at a time."""
    agents = tiny.agents((seed,), step, "cpu")
    starts, keys, row_seeds = agents.episodes("bank", episodes, agents.step)
    behaviour = agents.behaviour(row_seeds)

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        return (behaviour(rows, observations)[:, 0] <= uniforms(advance(keys[rows], time))).astype(int)

    played = play(agents.env, starts, act, keep_states=True)
    assert played.visited is not None and not agents.env.is_terminal(played.visited).any()
    assert len(played.visited) == played.returns.sum()
    return played.visited


@pytest.mark.parametrize("step", [0, 60])
def test_states_are_drawn_from_the_episodes_of_the_checkpoint_s_own_policy(
    tiny: Checkpoints, tmp_path: Path, step: int
):
    kept, agents = made(tiny, tmp_path, step=step, bank=Bank(episodes=3, states=10_000))
    states, row_seeds = banks.read(kept, agents, 10_000)
    for index, seed in enumerate(agents.seeds):
        own = states[row_seeds == index]
        visited = visits(tiny, seed=seed, step=step, episodes=3)
        # asked for more than were visited: all of them, each once, in a random order
        assert np.array_equal(np.unique(own, axis=0), np.unique(visited, axis=0))
        assert len(own) == len(visited) and not np.array_equal(own, visited)
        few = read_at(tiny, tmp_path, seed=seed, step=step, bank=Bank(episodes=3, states=8))
        known = {state.tobytes() for state in visited}
        assert len(few) == 8 and len({state.tobytes() for state in few} & known) == 8


def read_at(tiny: Checkpoints, folder: Path, *, seed: int, step: int, bank: Bank) -> np.ndarray:
    return banks.read(*made(tiny, folder, seeds=(seed,), step=step, bank=bank), 10_000)[0]


def test_a_bank_s_file_depends_on_its_settings_seeds_and_step(tiny: Checkpoints, tmp_path: Path):
    bank = Bank(episodes=2, states=6)
    paths = [
        Work(tiny, tmp_path, "cpu").bank(each, seeds, step).path
        for each in (bank, dataclasses.replace(bank, states=5), dataclasses.replace(bank, episodes=3))
        for seeds in ((0,), (0, 1))
        for step in (0, 20)
    ]
    assert len(set(paths)) == len(paths)
