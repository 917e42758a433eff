"""Which states do agents visit? One bank per (seed, checkpoint), drawn from episodes of pi_MuZero.

All analyses of a checkpoint share its bank. Within a bank states are in the order drawn, so that the first n
are a uniform draw of n.
"""

from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from analyses.population import Agents, Population
from analyses.settings import Bank
from analyses.units import Unit
from muzero_probe.probes.episodes import draw_bank, play, reset_seeds
from muzero_probe.randomness import advance, row_keys, uniforms
from muzero_probe.search.mcts import sample_actions


def unit(population: Population, bank: Bank, seeds: tuple[int, ...], step: int, folder: Path, device: str) -> Unit:
    """The banks of some seeds at one step, as a unit of work."""
    return Unit(
        name="banks",
        label=f"{population.profile}_{population.agent}_{seeds[0]:03d}-{seeds[-1]:03d}_{step:08d}",
        measure=partial(_measure, population, bank, seeds, step, device),
        depends=(vars(bank), [population.digests[seed, step] for seed in seeds], step),
        folder=folder,
        write=_write,
        suffix=".safetensors",
    )


def read(unit: Unit, agents: Agents, states: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first states of every seed's bank, [B, ...], and the seed index [B] of each."""
    stored = load_file(unit.path)
    counts = stored["counts"]
    bank = agents.env.from_bytes(stored["states"].tobytes())
    starts = np.cumsum(counts) - counts
    rows = np.concatenate(
        [np.arange(start, start + min(count, states)) for start, count in zip(starts, counts, strict=True)]
    )
    return bank[rows], np.repeat(np.arange(len(counts)), np.minimum(counts, states))


def search_actor(agents: Agents, row_seeds: np.ndarray, keys: np.ndarray):
    """Returns pi_MuZero as something to play episodes with."""
    behaviour = agents.behaviour(row_seeds)

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        return sample_actions(behaviour(rows, observations), uniforms(advance(keys[rows], time)))

    return act


def starts_and_keys(
    seeds: tuple[int, ...], purpose: str, episodes: int, *labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns environment seeds, random streams and seed index of every episode, ascending by seed.

    Labels tell streams of a seed and a purpose apart: the checkpoint, where its episodes are to be its own.
    """
    starts = [reset_seeds(seed, f"{purpose} starts", episodes, *labels) for seed in seeds]
    keys = [row_keys(seed, f"{purpose} keys", episodes, *labels) for seed in seeds]
    row_seeds = np.repeat(np.arange(len(seeds)), episodes)
    return np.concatenate(starts), np.concatenate(keys), row_seeds


def _measure(
    population: Population, bank: Bank, seeds: tuple[int, ...], step: int, device: str
) -> dict[str, np.ndarray]:
    agents = population.agents(seeds, step, device)
    starts, keys, row_seeds = starts_and_keys(seeds, "bank", bank.episodes, step)
    episodes = play(agents.env, starts, search_actor(agents, row_seeds, keys), keep_states=True)
    assert episodes.visited is not None and episodes.visited_rows is not None
    drawn = draw_bank(episodes.visited, row_seeds[episodes.visited_rows], list(seeds), bank.states, step)
    blob = agents.env.to_bytes(np.concatenate(drawn))
    return {"states": np.frombuffer(blob, np.uint8), "counts": np.array([len(states) for states in drawn])}


def _write(result: dict[str, np.ndarray], path: Path) -> None:
    save_file(result, path)
