"""Episodes in the real environment, and the bank of states that they visit: d_pi (docs/protocol.md, States)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.envs.base import Environment, check_reset, check_step
from muzero_probe.randomness import stream

MOST_STEPS = 100_000  # of an episode

# (rows [n] still playing, states [n, ...], observations [n, *obs], time) -> actions [n]
Act = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


class Episodes(NamedTuple):
    """B finished episodes."""

    returns: np.ndarray  # [B] float64, undiscounted
    lengths: np.ndarray  # [B] int64, steps
    visited: np.ndarray | None  # [M, ...] states in which an action was taken, in order of time
    visited_rows: np.ndarray | None  # [M] episode of each


def reset_seeds(seed: int, purpose: str, episodes: int, *labels: int) -> np.ndarray:
    """Returns the environment seeds [episodes] of an agent's episodes for a purpose."""
    return stream(seed, purpose, *labels).integers(2**31, size=episodes)


def play(env: Environment, starts: np.ndarray, act: Act, *, keep_states: bool = False) -> Episodes:
    """Plays one episode per start to its termination or time limit, in the task as its scores are counted.

    Args:
        env: the environment; its `evaluation` is played.
        starts: [B] environment seeds.
        act: the policy; sees only episodes that still run.
        keep_states: return the visited states.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if an episode does not end within `MOST_STEPS`, or the environment answers what it may not.
    """
    env = door.instance("env", env, Environment).evaluation
    door.function("act", act)
    door.array("starts", starts, ("B",), door.INTEGERS, low=0)
    states, observations = check_reset(env, env.reset(starts), len(starts))
    rows = np.arange(len(starts))
    returns = np.zeros(len(starts))
    lengths = np.zeros(len(starts), np.int64)
    visited: list[np.ndarray] = []
    visited_rows: list[np.ndarray] = []
    time = 0
    while rows.size:
        if keep_states:
            visited.append(states)
            visited_rows.append(rows)
        step = check_step(env, env.step(states, act(rows, states, observations, time)), len(rows))
        time += 1
        returns[rows] += step.rewards
        lengths[rows] = time
        running = ~step.terminated & (env.time_limit is None or time < env.time_limit)
        if time >= MOST_STEPS and running.any():
            limit = "no time limit" if env.time_limit is None else f"a time limit of {env.time_limit:,} steps"
            raise ValueError(f"{env.name} has {limit}, and an episode goes on after {MOST_STEPS:,} steps")
        rows, states, observations = rows[running], step.states[running], step.observations[running]
    if not keep_states:
        return Episodes(returns, lengths, None, None)
    if not visited:  # no episode
        return Episodes(returns, lengths, states, rows)
    return Episodes(returns, lengths, np.concatenate(visited), np.concatenate(visited_rows))


def draw_bank(
    visited: np.ndarray, row_seeds: np.ndarray, seeds: list[int], states: int, *labels: int
) -> list[np.ndarray]:
    """Draws every agent's bank uniformly, without replacement, from the states that its episodes visited.

    Args:
        visited: [M, ...] visited states of all agents.
        row_seeds: [M] index into `seeds` of the agent that visited each.
        seeds: the agents' seeds, whose streams draw.
        states: how many to draw; an agent that visited fewer keeps them all.
        labels: of the stream (the checkpoint).

    Returns:
        One batch of states per agent, in the order drawn.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are not as many rows as states, or one belongs to none of the seeds.
    """
    door.array("row_seeds", row_seeds, (len(visited),), door.INTEGERS, low=0, high=len(seeds) - 1)
    door.whole("states", states, 1)
    banks = []
    for index, seed in enumerate(seeds):
        of_seed = np.flatnonzero(row_seeds == index)
        if of_seed.size > states:
            of_seed = stream(seed, "bank", *labels).choice(of_seed, states, replace=False)
        else:
            of_seed = stream(seed, "bank", *labels).permutation(of_seed)
        banks.append(visited[of_seed])
    return banks
