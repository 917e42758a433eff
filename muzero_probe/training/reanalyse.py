"""Reanalyse: drawn positions are searched again with the current nets (Schrittwieser et al. 2021).

A position's policy target is its own search, its value target bootstraps from the search n steps later: both
are searched again, so that a reanalysed position's two targets are fresh. Results replace the stored ones.

The searches have root noise, like those that collect data. Without it the loop prior -> search -> prior feeds
on itself long before values mean anything: all of 4 Cart Pole agents played one action only from step 250 on.
"""

from collections.abc import Callable

import numpy as np

from muzero_probe.config import SearchConfig
from muzero_probe.models.contract import Model
from muzero_probe.randomness import branches
from muzero_probe.search.policies import root_noise, search_policies
from muzero_probe.training.replay import Replay


def chosen(first: int, count: int, fraction: float) -> np.ndarray:
    """Returns which of the drawn positions first, ..., first + count - 1 are reanalysed: [count] bool.

    They are spread evenly; of the first n positions drawn in a run, floor(n x fraction) are chosen.
    """
    n = np.arange(first, first + count + 1)
    return np.diff(np.floor(n * fraction + 1e-9)).astype(bool)


def reanalyse(
    model: Callable[[np.ndarray], Model],
    replay: Replay,
    positions: np.ndarray,
    config: SearchConfig,
    rngs: list[np.random.Generator],
    keys: np.ndarray,
    *,
    first: int,
    fraction: float,
) -> tuple[int, int]:
    """Searches a fraction of the drawn positions again and renews what replay holds of them.

    Args:
        model: gives the current model of rows, by their index into S, ascending.
        replay: where the positions come from.
        positions: [S, U, B] flat positions.
        config: search settings.
        rngs: one stream per seed, for root noise.
        keys: [S] uint64, one stream per seed and call, for ties in the searches.
        first: positions drawn per seed before these.
        fraction: of positions.

    Returns:
        Positions whose targets are fresh, and searches made (a bootstrap counts as a search of its own, and
        one that several positions share is made once).
    """
    S = len(positions)
    selected = positions.reshape(S, -1)
    selected = selected[:, chosen(first, selected.shape[1], fraction)]
    if not selected.size:
        return 0, 0
    bootstraps = replay.bootstraps(selected)
    unique = [np.unique(np.concatenate([selected[s], bootstraps[s][bootstraps[s] >= 0]])) for s in range(S)]
    seeds = np.repeat(np.arange(S), [len(u) for u in unique])
    flat = np.concatenate(unique)
    noise = root_noise(rngs, [len(u) for u in unique], config, replay.num_actions)
    found = search_policies(
        model(seeds), replay.observations(seeds, flat), config, noise=noise, keys=branches(keys[seeds], flat)
    )
    replay.renew(seeds, flat, found.training, found.values)
    return selected.size, flat.size


def revalue(
    model: Callable[[np.ndarray], Model], replay: Replay, positions: np.ndarray, *, first: int, fraction: float
) -> None:
    """Renews the values from which a fraction of the drawn positions bootstraps, along their whole unrolls.

    The current nets predict them without a search: h and f once per state, where `reanalyse` makes a search. A value
    thus reaches the states before it sooner than replay is written anew.

    Args:
        model: as in `reanalyse`. replay: as in `reanalyse`. positions: as in `reanalyse`. first: as in `reanalyse`.
        fraction: of positions.
    """
    S, C = len(positions), replay.config.replay_slots
    selected = positions.reshape(S, -1)
    selected = selected[:, chosen(first, selected.shape[1], fraction)]
    if not selected.size:
        return
    e, c = np.divmod(selected[..., None], C)
    bootstraps = replay.bootstraps(e * C + (c + np.arange(replay.config.unroll_steps + 1)) % C)
    unique = [np.unique(b[b >= 0]) for b in bootstraps]
    seeds = np.repeat(np.arange(S), [len(u) for u in unique])
    flat = np.concatenate(unique)
    if flat.size:
        replay.revalue(seeds, flat, model(seeds).root(replay.observations(seeds, flat)).values)
