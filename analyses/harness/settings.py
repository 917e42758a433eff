"""What all analyses are measured with: their own settings, the bank that they share, and how work is cut.

The paper states no numbers of states, episodes, checkpoints or simulation budgets; these are ours, chosen so
that a profile's analyses take about as long as a part of its training, and the standard error over seeds
stays small against the effects. An agent's file holds what differs.
"""

from dataclasses import dataclass
from typing import get_args

from muzero_probe.config import MOST, Rule, at_least


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The states shared by all analyses of a checkpoint: drawn from episodes of its own pi_MuZero."""

    episodes: int = 10
    """Episodes per seed."""
    states: int = 50
    """States per seed; early agents have short episodes and visit fewer."""

    def __post_init__(self) -> None:
        at_least(self, "bank", 1, "episodes", "states")


def check_samples(section: str, samples: int) -> None:
    """Refuses a number of samples that has no standard error.

    Raises:
        ValueError: in one line.
    """
    if samples != 0 and not 2 <= samples <= MOST:
        raise ValueError(
            f"{section}.samples is {samples}, it must be 0 (exact) or at least 2 (for a standard error), "
            f"at most {MOST:,}"
        )


def check_ascending(name: str, values: tuple[int, ...], *, least: int, most: int, empty: bool = True) -> None:
    """Refuses values that do not ascend, are too small or too large, or are none.

    Raises:
        ValueError: in one line.
    """
    if not values and empty:
        return
    if not values or values[0] < least or values[-1] > most or list(values) != sorted(set(values)):
        raise ValueError(
            f"{name} is {values}: one or more values are needed, ascending, none below {least} or above {most:,}"
        )


def check_seeds(section: str, seeds: int) -> None:
    """Refuses a number of seeds that is none.

    Raises:
        ValueError: in one line.
    """
    if not 0 <= seeds <= MOST:
        raise ValueError(f"{section}.seeds is {seeds}, it must be 0 (all) or more, at most {MOST:,}")


def check_rules(name: str, rules: tuple[str, ...]) -> None:
    """Refuses what is no rule of the search.

    Raises:
        ValueError: in one line.
    """
    unknown = [rule for rule in rules if rule not in get_args(Rule)]
    if unknown:
        raise ValueError(f"{name} has {', '.join(unknown)}, there are {', '.join(get_args(Rule))}")
