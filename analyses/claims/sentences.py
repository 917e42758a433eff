"""What the paper claims (He et al. 2024, sections 4 and 5), and the one contrast that each claim is judged by."""

import math
from dataclasses import dataclass
from typing import Literal

RETURNS, ERRORS = "returns", "errors"

ERROR_FACTOR = 1.25  # errors that differ by less are equivalent
RETURN_SHARE = 0.05  # of the range of an agent's returns: differences below are equivalent


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim and its primary contrast.

    Attributes:
        sentence: the claim in this project's words.
        contrast: the primary contrast, as a formula.
        table: that it is formed of.
        sign: +1 where the claim says that the contrast is above 0, -1 where it says that it is not.
        unit: of the contrast.
        margin: what makes two sides equivalent: `RETURNS`, `ERRORS`, or None where equivalence is not tested.
        games: parts of the names of the agents that the claim is about; empty for all.
        caveat: what the contrast cannot tell.
        pending: what must be measured first; empty where the tables have it.
        untrained: whether populations of untrained nets establish it as well: it takes no training.
    """

    sentence: str
    contrast: str
    table: str
    sign: int = 1
    unit: str = "log ratio"
    margin: Literal["returns", "errors"] | None = None
    games: tuple[str, ...] = ()
    caveat: str = ""
    pending: str = ""
    untrained: bool = False

    @property
    def marked(self) -> str:
        """The sentence, with a dagger where untrained nets establish it as well."""
        return self.sentence + " †" * self.untrained

    def smallest(self, return_range: tuple[float, float] | None) -> float:
        """Returns the smallest contrast that matters; NaN where equivalence is not tested."""
        if self.margin == ERRORS:
            return math.log(ERROR_FACTOR)
        if self.margin == RETURNS and return_range is not None:
            return RETURN_SHARE * (return_range[1] - return_range[0])
        return math.nan


# populations whose tables had been seen when the contrasts were chosen: their `config_hash`, or what loaded them
SEEN = {
    "e19705defd56", "bb0f72fccabf", "62870dc34b7d", "7487db18adca", "muzero_general.py:cartpole",
    "muzero_general.py:lunar_lander",
}  # fmt: skip

SCALE = "needs the spread of true sums of rewards over states, which the tables do not hold yet"
GREEDY = "the planner is greedy and the prior is sampled"

CLAIMS = {
    "1": Claim(
        sentence="Planning makes MuZero play better than its policy prior throughout training",
        contrast="return of search - of the prior alone; mean over checkpoints from 1 % of training on with T = 1",
        table="returns", unit="return", margin=RETURNS,
        caveat="checkpoints with T below 1 are left out: search is sharpened there and the prior is not",
    ),
    "2a": Claim(
        sentence="One step ahead, errors are close to zero",
        contrast="error at h = 1 as a share of what there is to predict",
        table="own_policy", sign=-1, pending=SCALE,
    ),
    "2b": Claim(
        sentence="Errors grow with the horizon",
        contrast="log(error at h = K / error at h = 1); mean over checkpoints from 1 % of training on",
        table="own_policy", margin=ERRORS,
        caveat="growth is not compounding: see the exponents among the descriptive quantities", untrained=True,
    ),
    "3": Claim(
        sentence="Errors shrink towards the end of training",
        contrast="error at h = K at the last checkpoint - the same at the last one with T = 1",
        table="own_policy", sign=-1, unit="reward",
        caveat="the states move with training, and with them how much there is to predict",
    ),
    "4": Claim(
        sentence="The likelier a sequence is under the behaviour policy, the smaller its error",
        contrast="log(mean error of all sequences / mean weighted by probability); mean over checkpoints from 1 % on",
        table="sequences", margin=ERRORS,
        caveat="an offset of the reward head is alike for all sequences and hides differences",
    ),
    "5": Claim(
        sentence="That trend sharpens with training",
        contrast="the log ratio of claim 4 at the last checkpoint - at the first",
        table="sequences", margin=ERRORS,
    ),
    "6": Claim(
        sentence="A model is most accurate for the policy of its own checkpoint",
        contrast="mean of the diagonal of log error[model, policy], centred by rows and columns; from 1 % on",
        table="cross_checkpoint", sign=-1, margin=ERRORS,
        caveat="that the diagonal is the smallest of every row cannot be decided: neighbours are nearly alike",
    ),
    "7": Claim(
        sentence="Early models evaluate late, better policies badly",
        contrast="log(error for the last policy / for the own); mean over models after the start, to 10 % of training",
        table="cross_checkpoint", margin=ERRORS,
    ),
    "8": Claim(
        sentence="Free search with the learned model falls well short of free search with the true model",
        contrast="return of the true - of the learned model, uniform prior; mean over 16 and more simulations",
        table="planning", unit="return", margin=RETURNS, untrained=True,
    ),
    "9a": Claim(
        sentence="With the policy prior, planning with the learned model beats the prior alone",
        contrast="return with 16 and more simulations - with the fewest above the number of actions, policy prior",
        table="planning", unit="return", margin=RETURNS,
        caveat="the smallest search stands in for the greedy prior, which was not measured",
    ),
    "9b": Claim(
        sentence="It gains far less than planning with the true model",
        contrast="the gain of claim 9a with the true model - with the learned one",
        table="planning", unit="return", margin=RETURNS,
        caveat="with the true model, the prior is read at real states as well", untrained=True,
    ),
    "10a": Claim(
        sentence="The gap between policy and uniform prior is larger with the learned than with the true model",
        contrast="(policy - uniform prior) of the learned - of the true model; mean over 16 and more simulations",
        table="planning", unit="return", margin=RETURNS, untrained=True,
    ),
    "10b": Claim(
        sentence="That gap does not close with more simulations",
        contrast="slope of the contrast of claim 10a per doubling of the simulations, from 16 on",
        table="planning", unit="return per doubling",
    ),
    "11a": Claim(
        sentence="The policy prior keeps the search closer to itself",
        contrast="total variation from the prior, uniform - policy prior; mean over 16 and more simulations",
        table="prior_effect", unit="TV",
        caveat="true by construction: the search minimises the divergence from its prior (Grill et al. 2020)",
        untrained=True,
    ),
    "11b": Claim(
        sentence="And the errors of its trajectories are smaller",
        contrast="log(error with the uniform / with the policy prior); mean over 16 and more simulations",
        table="prior_effect", margin=ERRORS,
        caveat="tree paths are not of equal length under the two priors",
    ),
    "12": Claim(
        sentence="In Breakout, planning with the learned model does not outperform the prior",
        contrast="return of the learned model, policy prior - of the prior alone; mean over 16 and more simulations",
        table="planning", sign=-1, unit="return", margin=RETURNS, games=("minatar", "breakout"), caveat=GREEDY,
    ),
    "13": Claim(
        sentence="In Cart Pole, the learned model supports some free search after some training",
        contrast="return with 16 and more simulations - with the fewest above the number of actions, uniform prior; "
        "from 1 % of training on",
        table="planning", unit="return", margin=RETURNS, games=("cartpole",),
    ),
    "14": Claim(
        sentence="The model is not accurate enough even for the agent's own policy",
        contrast="error at h = K as a share of what there is to predict",
        table="own_policy", pending=SCALE,
    ),
}  # fmt: skip
