"""Which numbers are signs of trouble? One rule a sign: a threshold, a sentence, and what usually helps.

The thresholds were written before any population was judged by them; docs/tuning.md, Diagnosis, lists them.
"""

from collections.abc import Callable
from typing import NamedTuple

from muzero_probe.diagnosis.evidence import Evidence

# void runs of ALE that had collapsed had 93 to 97 %, the most uneven kept one 43 % (docs/tuning.md); root noise keeps a
# collapsed agent below 100 %
COLLAPSED = 0.9
# a lost life costs some decisions before the next serve; beyond half of them, waiting is what the agent does
IN_PLAY = 0.5
IDLE = 0.5
# with two actions chance has 0.5: the prior then says nothing of what the search will do
DISAGREEING = 0.5
# a target beyond the atoms is cut, and a sound head keeps hundredths of its mass on the outermost one
SATURATED = 0.1
# an update sees batch x unroll positions: below one end of an episode each, ends are learned from chance
ENDS = 1.0
# as a constant prediction explains 0, this is what chance leaves of it
EXPLAINED = 0.05
# half of the rewards, one step ahead: a model that misses more plans for other rewards than those that come
RECALL = 0.5
# losses fall or wander by a factor of a few as data change; a tenfold one is no such change
EXPLODED = 10.0
# a twentieth of replay has nearly all the chance to be drawn
EFFECTIVE = 0.05

UNSEEN = {"saturated": "no checkpoint was watched"}  # why evidence is not there that no metrics bring


class Rule(NamedTuple):
    """A sign of trouble."""

    name: str  # short, for people
    of: str  # the evidence
    holds: Callable[[float], bool]
    says: Callable[[float], str]
    helps: str


class Finding(NamedTuple):
    """A sign that a seed shows."""

    name: str
    sentence: str
    helps: str


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


RULES = (
    Rule(
        "collapsed policy", "action_share", lambda x: x >= COLLAPSED,
        lambda x: f"one action is {_percent(x)} of all decisions",
        "search positions again with root noise (training.reanalyse_fraction), a larger search.dirichlet_fraction, "
        "search.rule efficientzero, a later fall of the temperature",
    ),
    Rule(
        "waits", "in_play_share", lambda x: x < IN_PLAY,
        lambda x: f"the game is on in only {_percent(x)} of the decisions: the agent does not serve",
        "let the environment serve, a shorter time limit, temperature 1 for longer",
    ),
    Rule(
        "waits for the time limit", "idle_share", lambda x: x >= IDLE,
        lambda x: f"{_percent(x)} of the episodes reach the time limit at a return of 0",
        "a shorter time limit, temperature 1 for longer, more exploration at the root (search.dirichlet_fraction)",
    ),
    Rule(
        "prior and search differ", "disagreement", lambda x: x >= DISAGREEING,
        lambda x: f"the search prefers another action than the policy prior in {_percent(x)} of the decisions",
        "more updates per environment step, more positions searched again, or more simulations: the policy head lags "
        "behind the search, or the search is noise",
    ),
    Rule(
        "saturated value head", "saturated", lambda x: x >= SATURATED,
        lambda x: f"{_percent(x)} of the value's probability lies on the outermost atoms",
        "wider atoms (nets.value_low, nets.value_high), or a smaller search.discount",
    ),
    Rule(
        "replay without terminations", "terminations", lambda x: x < ENDS,
        lambda x: f"the positions that an update unrolls would hold {x:.2g} ends of episodes if drawn evenly",
        "a larger replay (training.replay_slots), which keeps failures of the past, or starts from harder states: the "
        "model forgets what an end looks like",
    ),
    Rule(
        "unexplained returns", "explained", lambda x: x < EXPLAINED,
        lambda x: f"values explain {_percent(x)} of the variance of the returns that came",
        "look at what the nets see (a ball of less than a pixel?), fresher value targets (a smaller training.n_step, "
        "more positions searched again), more updates per environment step",
    ),
    Rule(
        "rewards not foreseen", "reward_recall", lambda x: x < RECALL,
        lambda x: f"the model foresees {_percent(x)} of the rewards one step ahead",
        "look at what the nets see, more updates per environment step, atoms that hold the rewards "
        "(nets.reward_low, nets.reward_high)",
    ),
    Rule(
        "exploding losses", "loss_growth", lambda x: x >= EXPLODED,
        lambda x: f"the sum of the losses came to {x:.3g} times its median before",
        "a smaller training.learning_rate, or a smaller training.gradient_norm",
    ),
    Rule(
        "exploding gradients", "gradient_growth", lambda x: x >= EXPLODED,
        lambda x: f"the norm of the gradient came to {x:.3g} times its median before",
        "a smaller training.learning_rate; a clipped gradient (training.gradient_norm) limits the harm",
    ),
    Rule(
        "gradients that are not finite", "skipped", lambda x: x > 0,
        lambda x: f"{x:.0f} updates had a gradient that is not finite",
        "a smaller training.learning_rate; look at the rewards and observations of the environment",
    ),
    Rule(
        "exploding priorities", "effective", lambda x: x < EFFECTIVE,
        lambda x: f"priorities are so uneven that replay is as good as {_percent(x)} of its size",
        "a smaller training.priority_alpha",
    ),
)  # fmt: skip


def findings(evidence: Evidence) -> list[Finding]:
    """Returns the signs of trouble that a seed shows, each with its number and where that comes from."""
    found = []
    for rule in RULES:
        measured = evidence.known.get(rule.of)
        if measured and rule.holds(measured.value):
            found.append(Finding(rule.name, f"{rule.says(measured.value)} ({measured.where})", rule.helps))
    return found


def not_judged(evidence: Evidence) -> dict[str, str]:
    """Returns the rules that cannot be applied to a seed, and why."""
    return {
        rule.name: evidence.unknown.get(rule.of, UNSEEN.get(rule.of, "there are no metrics"))
        for rule in RULES
        if rule.of not in evidence.known
    }
