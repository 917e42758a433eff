"""Which states do agents visit? One bank per (seed, checkpoint), drawn from episodes of pi_MuZero.

All analyses of a checkpoint share its bank. Within a bank states are in the order drawn, so that the first n
are a uniform draw of n.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from analyses.harness.agents import Agents
from analyses.tables import TableError
from muzero_probe import arrays
from muzero_probe.arrays import ArrayFileError
from muzero_probe.probes.episodes import draw_bank, play


def measure(agents: Agents, episodes: int, states: int) -> dict[str, np.ndarray]:
    """Returns the states of all seeds' banks as bytes, and how many every seed has."""
    starts, keys, row_seeds = agents.episodes("bank", episodes, agents.step)
    played = play(agents.env, starts, agents.actor(row_seeds, keys), keep_states=True)
    assert played.visited is not None and played.visited_rows is not None
    drawn = draw_bank(played.visited, row_seeds[played.visited_rows], list(agents.seeds), states, agents.step)
    blob = agents.env.to_bytes(np.concatenate(drawn))
    return {"states": np.frombuffer(blob, np.uint8), "counts": np.array([len(states) for states in drawn])}


def write(path: Path, found: Mapping[str, np.ndarray]) -> None:
    """Writes a file that says which unit it is."""
    arrays.save(path, found, {"unit": path.stem})


def check(path: Path) -> None:
    """Refuses a file that is damaged, or another unit's.

    Raises:
        TableError: in one line.
    """
    try:
        said = arrays.fields(path)
        arrays.verify(path, said.get("digest", ""))
    except ArrayFileError as error:
        raise TableError(f"{path} {error}") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read as a bank: {' '.join(str(error).split())}") from None
    if said.get("unit") != path.stem:
        raise TableError(f"{path} holds the unit {said.get('unit')}")


def read(path: Path | None, agents: Agents, states: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first states of every seed's bank, [B, ...], and the seed index [B] of each."""
    assert path is not None
    stored = arrays.load(path)
    counts = stored["counts"]
    bank = agents.env.from_bytes(stored["states"].tobytes())
    starts = np.cumsum(counts) - counts
    rows = np.concatenate(
        [np.arange(start, start + min(count, states)) for start, count in zip(starts, counts, strict=True)]
    )
    return bank[rows], np.repeat(np.arange(len(counts)), np.minimum(counts, states))
