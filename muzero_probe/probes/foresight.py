"""What did a model expect along an episode, and what came?

At every state s_t in which an action was taken, with the actions that were really taken from there on:

    value      f at h(s_t)                      against   sum_{k>=0} gamma^k r_{t+k}, to the end of the episode
    rewards    g's u_t, ..., u_{t+K-1}, unrolled from h(s_t)   against   r_t, ..., r_{t+K-1}

A termination ends all reward. A time limit only ends what is known: the value looks beyond it.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.envs.base import Environment, check_step, start_states
from muzero_probe.models.contract import Model, checked, same_actions

ROWS = 64  # states that a model sees at a time


class Foresight(NamedTuple):
    """An episode of T steps, seen K steps ahead; not a number where the episode is over before."""

    values: np.ndarray  # [T] float32, of the model at every state
    returns: np.ndarray  # [T] float64, discounted, from every state on
    predicted: np.ndarray  # [T, K] float32, the model's rewards of the next K actions
    real: np.ndarray  # [T, K] float32, theirs; 0 after a termination


def foresight(
    env: Environment, model: Model, states: np.ndarray, actions: np.ndarray, *, unroll: int, discount: float
) -> Foresight:
    """Asks a model at every state of an episode what comes, and the environment what came.

    Args:
        env: the task that the model learned, whose scores may be counted in another way (`Environment.evaluation`).
        model: of T rows.
        states: [T, ...] in which an action was taken.
        actions: [T] that were taken.
        unroll: K.
        discount: per step.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are not as many actions as states, a state is terminal, or a number lies out of range.
    """
    A, T = same_actions(model, door.instance("env", env, Environment)), len(start_states(env, states))
    door.array("actions", actions, (T,), door.INTEGERS, low=0, high=A - 1)
    door.whole("unroll", unroll, 1)
    door.discount(discount)
    door.room(f"{T} states with {unroll:,} steps each", 64 * T * unroll)
    rewards = np.zeros(T, np.float32)
    over = np.zeros(T, bool)
    for t in range(T):  # one by one: some environments keep a simulator for every row of a call
        step = check_step(env, env.step(states[t : t + 1], actions[t : t + 1]), 1)
        rewards[t], over[t] = step.rewards[0], step.terminated[0]
    returns = np.zeros(T)
    after = 0.0
    for t in reversed(range(T)):
        returns[t] = after = rewards[t] + (0.0 if over[t] else discount * after)

    ahead = np.arange(T)[:, None] + np.arange(unroll)  # [T, K]
    known = ahead < T
    ahead = np.minimum(ahead, T - 1)
    ended = np.cumsum(over) - over  # terminations before each time: a life may be lost, and the game go on
    real = np.where(known, np.where(ended[ahead] == ended[:, None], rewards[ahead], 0), np.nan).astype(np.float32)

    plans = np.asarray(actions)[ahead]
    values = np.zeros(T, np.float32)
    predicted = np.zeros((T, unroll), np.float32)
    for start in range(0, T, ROWS):
        rows = slice(start, min(start + ROWS, T))
        count = rows.stop - start
        part = model.rows(np.arange(start, rows.stop))
        prediction = checked(part.root(env.observe(states[rows]), states[rows]), part, count)
        values[rows] = prediction.values
        for k in range(unroll):
            prediction = checked(part.step(prediction.states, plans[rows, k]), part, count)
            predicted[rows, k] = prediction.rewards
    return Foresight(values, returns, np.where(known, predicted, np.float32(np.nan)), real)
