"""What somebody who read the study's tables says about each claim; its numbers come from the tables.

`{agent}` stands for the pooled effect, `{agent 1000}` for that at a checkpoint. A comment was written for verdicts, and
is left out, by name, where the tables no longer give them.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

PROFILE = "study"


class Comment(NamedTuple):
    """A comment, and the verdicts that it goes with, by agent."""

    verdicts: dict[str, str]
    text: str


def _three(cartpole: str, lunar_lander: str, minatar: str) -> dict[str, str]:
    return {"cartpole": cartpole, "lunar_lander": lunar_lander, "minatar": minatar}


COMMENTS = {
    "1": Comment(
        _three("established", "equivalent", "established"),
        "In Cart Pole search is ahead while agents learn ({cartpole 5000} at step 5,000); later the prior alone plays "
        "nearly as well, and there is little room. In Lunar Lander search loses at step 1,000 ({lunar_lander 1000}) "
        "and gains a little afterwards. In MinAtar the gain is certain and small. The large gains at the end "
        "({lunar_lander 100000} and {minatar 50000}) come with a temperature below 1 and are left out.",
    ),
    "2b": Comment(
        _three("established", "established", "established"),
        "Errors add up: they grow about in proportion to the horizon, and nothing compounds.",
    ),
    "3": Comment(
        _three("established", "contradicted", "contradicted"),
        "Cart Pole's errors go on falling. In the other games they rise again while agents come further and meet "
        "states in which more happens; a bank of fixed states would tell the model from its states.",
    ),
    "4": Comment(
        _three("established", "established", "established"),
        "It holds once the policy is peaked. In Cart Pole at step 10,000 ({cartpole 10000}) most of the error is an "
        "offset of the reward head, alike for all sequences. Lunar Lander's effect is small and turned round at step "
        "1,000 ({lunar_lander 1000}).",
    ),
    "5": Comment(
        _three("established", "open", "established"),
        "Relative to likely sequences, the unlikely ones err more at the end of training, in Cart Pole and MinAtar. In "
        "Lunar Lander the link is strongest in the middle ({lunar_lander 10000}).",
    ),
    "6": Comment(
        _three("established", "established", "established"),
        "Less than the paper's sentence: a model's error for its own policy is below what its row and column make one "
        "expect. Whether the diagonal is the smallest of every row, so few states cannot decide.",
    ),
    "7": Comment(
        _three("established", "established", "equivalent"),
        "As the paper has it: in Cart Pole and Lunar Lander, and not in Breakout.",
    ),
    "8": Comment(
        _three("established", "established", "established"),
        "Everywhere, but for one checkpoint: in Cart Pole at step 10,000 free search plays as well in the learned "
        "model ({cartpole 10000}). Later, replay holds few falls; whether that spoils the last model was not tested.",
    ),
    "9a": Comment(
        _three("equivalent", "open", "equivalent"),
        "Planners with few simulations play much like the prior, taken greedily. From there, more simulations in the "
        "learned model gain nothing in Cart Pole and MinAtar. The gain over the prior alone that the paper sees may be "
        "that of acting greedily.",
    ),
    "9b": Comment(
        _three("established", "established", "established"),
        "What simulations can gain, they gain in the true model: early in training in Cart Pole and Lunar Lander, "
        "throughout in MinAtar.",
    ),
    "10a": Comment(
        _three("established", "established", "established"),
        "In MinAtar as well, where the paper excepts Breakout. In Cart Pole it is the last checkpoint that decides "
        "({cartpole 100000}); at step 500 it is the other way round ({cartpole 500}), since the prior is bad.",
    ),
    "10b": Comment(
        _three("open", "open", "established"),
        "In MinAtar the gap grows with the simulations. In Cart Pole the checkpoints disagree; in Lunar Lander few "
        "seeds plan.",
    ),
    "11a": Comment(
        _three("established", "established", "established"),
        "True of any such search, whatever its model: not a finding about the model.",
    ),
    "11b": Comment(
        _three("established", "equivalent", "contradicted"),
        "In Cart Pole alone. A trajectory is a path and a random rollout behind it, and paths are longer under one "
        "prior than under the other.",
    ),
    "12": Comment(
        {"minatar": "contradicted"},
        "The other way round, but for one reason that has nothing to do with the model: the planner is greedy and the "
        "prior is sampled (claim 9a compares without that).",
    ),
    "13": Comment(
        {"cartpole": "established"},
        "Most at step 10,000 ({cartpole 10000}); at the end, less ({cartpole 100000}).",
    ),
}


def filled(text: str, number: Callable[[str, int | None], str]) -> str:
    """A comment with its numbers; `number` gives that of an agent, pooled or at a step."""
    return re.sub(r"\{(\w+)(?: (\d+))?\}", lambda m: number(m[1], int(m[2]) if m[2] else None), text)
