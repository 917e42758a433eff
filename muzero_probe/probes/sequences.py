"""Is the model better along likely action sequences? All |A|^h of them at each state (Fig 4)."""

from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.envs.base import Environment
from muzero_probe.models.contract import Model, same_actions
from muzero_probe.probes.value_error import Policy, every, grow


class Sequences(NamedTuple):
    """Every action sequence of B states; entry i is the sequence whose actions are i's digits in base A."""

    probability: np.ndarray  # [B, A^h], eq 6
    error: np.ndarray  # [B, A^h], eq 5


def enumerate_sequences(
    env: Environment,
    model: Model,
    states: np.ndarray,
    policy: Policy,
    *,
    length: int,
    discount: float,
) -> Sequences:
    """Returns probability and value error of all sequences of a length from every state [B, ...].

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are more than `door.MOST_SEQUENCES` of them; as `value_error.grow`.
    """
    A, B = same_actions(model, door.instance("env", env, Environment)), len(states)
    door.whole("length", length, 1)
    door.sequences(B * A**length, f"of length {length} from {B} states")
    *_, last = grow(env, model, states, policy, every, horizon=length, discount=discount)
    shape = (B, A**length)
    return Sequences(last.weights.reshape(shape), np.abs(last.true - last.predicted).reshape(shape))


def by_rank(sequences: Sequences, rngs: list[np.random.Generator]) -> Sequences:
    """Sorts each state's sequences from the likeliest down; equal ones in an order drawn from the row's stream.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are not as many streams as states, or numbers are not finite.
    """
    door.instance("sequences", sequences, Sequences)
    probability = door.array("probability", sequences.probability, ("B", "n"), door.REALS)
    door.array("error", sequences.error, probability.shape, door.REALS)
    door.streams("rngs", rngs, len(probability))
    ranked = Sequences(np.empty_like(sequences.probability), np.empty_like(sequences.error))
    for b, rng in enumerate(rngs):
        shuffle = rng.permutation(sequences.probability.shape[1])
        order = shuffle[np.argsort(-sequences.probability[b, shuffle], kind="stable")]
        ranked.probability[b] = sequences.probability[b, order]
        ranked.error[b] = sequences.error[b, order]
    return ranked
