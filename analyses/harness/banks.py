"""Which states do agents visit? One bank per (seed, checkpoint), drawn from episodes of pi_MuZero.

All analyses of a checkpoint share its bank. Within a bank states are in the order drawn, so that the first n
are a uniform draw of n.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from analyses.harness.agents import Agents
from muzero_probe.probes.episodes import draw_bank, play


def measure(agents: Agents, episodes: int, states: int) -> dict[str, np.ndarray]:
    """Returns the states of all seeds' banks as bytes, and how many every seed has."""
    starts, keys, row_seeds = agents.episodes("bank", episodes, agents.step)
    played = play(agents.env, starts, agents.actor(row_seeds, keys), keep_states=True)
    assert played.visited is not None and played.visited_rows is not None
    drawn = draw_bank(played.visited, row_seeds[played.visited_rows], list(agents.seeds), states, agents.step)
    blob = agents.env.to_bytes(np.concatenate(drawn))
    return {"states": np.frombuffer(blob, np.uint8), "counts": np.array([len(states) for states in drawn])}


def read(path: Path | None, agents: Agents, states: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first states of every seed's bank, [B, ...], and the seed index [B] of each."""
    assert path is not None
    stored = load_file(path)
    counts = stored["counts"]
    bank = agents.env.from_bytes(stored["states"].tobytes())
    starts = np.cumsum(counts) - counts
    rows = np.concatenate(
        [np.arange(start, start + min(count, states)) for start, count in zip(starts, counts, strict=True)]
    )
    return bank[rows], np.repeat(np.arange(len(counts)), np.minimum(counts, states))
