"""Which states do agents visit? One bank per (seed, checkpoint), drawn from episodes of pi_MuZero.

All analyses of a checkpoint share its bank. Within a bank states are in the order drawn, so that the first n
are a uniform draw of n.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from analyses.harness.agents import Agents
from analyses.tables import TableError
from muzero_probe import files
from muzero_probe.probes.episodes import draw_bank, play


def measure(agents: Agents, episodes: int, states: int) -> dict[str, np.ndarray]:
    """Returns the states of all seeds' banks as bytes, and how many every seed has."""
    starts, keys, row_seeds = agents.episodes("bank", episodes, agents.step)
    played = play(agents.env, starts, agents.actor(row_seeds, keys), keep_states=True)
    assert played.visited is not None and played.visited_rows is not None
    drawn = draw_bank(played.visited, row_seeds[played.visited_rows], list(agents.seeds), states, agents.step)
    blob = agents.env.to_bytes(np.concatenate(drawn))
    return {"states": np.frombuffer(blob, np.uint8), "counts": np.array([len(states) for states in drawn])}


def stored(name: str, found: Mapping[str, np.ndarray]) -> bytes:
    """Returns a file's bytes: the arrays, the unit's name, and a digest of both."""
    return save(dict(found), metadata={"unit": name, "digest": _digest(name, found)})


def check(path: Path) -> None:
    """Refuses a file that is damaged, or another unit's.

    Raises:
        TableError: in one line.
    """
    try:
        files.check(path)
        with safe_open(path, framework="np") as content:
            said = content.metadata() or {}
        found = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise TableError(f"{path} cannot be read as a bank: {' '.join(str(error).split())}") from None
    if said.get("digest") != _digest(said.get("unit", ""), found):
        raise TableError(f"{path} was cut or altered, its digest does not match")
    if said["unit"] != path.stem:
        raise TableError(f"{path} holds the unit {said['unit']}")


def _digest(name: str, found: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(name.encode())
    for key, array in sorted(found.items()):
        digest.update(f"|{key} {array.dtype.str} {array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


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
