"""Are likely action sequences predicted better than unlikely ones? (Fig 4)

All |A|^h sequences at each state, ranked by their probability under pi_MuZero; means over states per rank.
"""

from dataclasses import dataclass
from typing import Any

from analyses.harness import banks
from analyses.harness.agents import Agents, Inputs
from analyses.harness.settings import check_ascending
from analyses.tables import Column
from muzero_probe.config import MOST_STEPS, at_least
from muzero_probe.probes.sequences import by_rank, enumerate_sequences
from muzero_probe.randomness import stream

FIGURE = 4
BANK = True
MOST_ENUMERATED = 2**16  # sequences of a state
MOST = 256  # sequences of a state, where no length is given; study
COLUMNS = {
    "rank": Column("int", "", "rank of a sequence by its probability, 1 the likeliest"),
    "probability": Column("float", "", "eq 6, mean over states"),
    "error": Column("float", "reward", "eq 5, mean over states"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 4."""

    states: int = 50
    """States per seed, from the bank."""
    length: int | None = None
    """Actions of a sequence; by default as many as give at most 256 sequences."""
    steps: tuple[int, ...] = ()
    """Checkpoints; by default all."""

    def __post_init__(self) -> None:
        at_least(self, "sequences", 1, "states")
        if self.length is not None:
            at_least(self, "sequences", 1, "length")
        check_ascending("sequences.steps", self.steps, least=0, most=MOST_STEPS)


def check(settings: Settings, actions: int) -> None:
    """Refuses lengths whose sequences nobody waits for.

    Raises:
        ValueError: in one line.
    """
    longest = max(h for h in range(1, 17) if h == 1 or actions**h <= MOST_ENUMERATED)
    if (settings.length or 1) > longest:
        raise ValueError(
            f"sequences.length is {settings.length}, at most {longest} is possible with {actions} actions: all "
            f"sequences are enumerated, up to {MOST_ENUMERATED:,}"
        )


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed and rank."""
    states, row_seeds = banks.read(inputs.bank, agents, settings.states)
    A = agents.env.num_actions
    found = enumerate_sequences(
        agents.env,
        agents.model(row_seeds),
        states,
        agents.behaviour(row_seeds),
        length=settings.length or max(h for h in range(1, 9) if h == 1 or A**h <= MOST),
        discount=agents.search.discount,
    )
    rows = []
    for seed, of_seed in agents.each(row_seeds):
        rngs = [stream(seed, "rank ties", agents.step, row) for row in range(int(of_seed.sum()))]
        ranked = by_rank(type(found)(*(array[of_seed] for array in found)), rngs)
        rows += [
            {"seed": seed, "rank": i + 1, "probability": probability, "error": error}
            for i, (probability, error) in enumerate(zip(ranked.probability.mean(0), ranked.error.mean(0), strict=True))
        ]
    return rows
