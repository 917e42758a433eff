"""MinAtar's Breakout, without sticky actions; not in the paper."""

from typing import Any

from muzero_probe.agents.card import SMOKE, SMOKE_ANALYSES, Agent, Profile, replace
from muzero_probe.config import ImageNetsConfig, SearchConfig, TrainingConfig
from muzero_probe.envs.minatar import MinAtarBreakout


def analyses(*steps: int, prior_effect: int) -> dict[str, Any]:
    """What all sizes of the study share."""
    return {
        "sequences": {"length": 5, "steps": steps},  # study: 3^5 = 243 sequences
        "cross_checkpoint": {"states": 10},
        "prior_effect": {"states": 30, "step": prior_effect, "horizon": 32},  # study: planning horizon
        # a true step is the package's own Python: minutes for a game with 252 rollouts a step
        "planning": {"episodes": 1, "steps": steps, "horizon": 32},
    }


PAPER = Profile(
    nets=ImageNetsConfig(
        latent=128,
        hidden=128,
        value_low=-5,  # supports around 0: there, training starts
        value_high=5,  # h(33); a screen of 30 bricks at the fastest is worth 23
        reward_low=-1,
        reward_high=1,  # h(1) is 0.4
    ),
    search=SearchConfig(
        discount=0.99,  # study
        # measured: with these and `revalue_fraction`, returns of 23.7 and 22.9 after 50,000 steps; without, 13.5
        dirichlet_fraction=0.5,
        noise_steps=8.0,
    ),
    training=TrainingConfig(
        steps=200_000,  # study
        checkpoints=(0, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000),
        unroll_steps=5,  # study
        n_step=5,  # EfficientZero's Breakout
        environments=32,
        updates_per_environment_step=0.125,
        warmup_slots=128,
        replay_slots=3_000,
        revalue_fraction=0.25,
    ),
    seeds=20,
    analyses=analyses(1_000, 10_000, 50_000, 200_000, prior_effect=10_000),
)

# what two cores train in hours: a quarter of the paper's steps
DESK = replace(
    PAPER,
    training={"steps": 50_000, "checkpoints": (0, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)},
    analyses=analyses(1_000, 10_000, 50_000, prior_effect=10_000),
)

QUICK = replace(
    PAPER,
    training={"steps": 8_000, "checkpoints": (0, 500, 1_000, 2_000, 4_000, 8_000)},
    seeds=6,
    analyses={
        "shard": 3,
        "bank": {"episodes": 6, "states": 15},
        "returns": {"episodes": 10},
        "own_policy": {"states": 15},
        "sequences": {"states": 15, "length": 5, "steps": (1_000, 8_000)},
        "cross_checkpoint": {"states": 5},
        "prior_effect": {"states": 15, "step": 2_000, "horizon": 32},
        "planning": {"episodes": 1, "steps": (1_000, 8_000), "horizon": 32, "rules": ()},
    },
)

# seconds; every part runs, nothing is learned
TINY = replace(
    PAPER,
    nets={"latent": 16, "hidden": 16},
    search={"simulations": 8},
    training=SMOKE,
    seeds=2,
    analyses=SMOKE_ANALYSES,
)

AGENT = Agent(
    title="Breakout (MinAtar)",
    environment=MinAtarBreakout,
    needs={"minatar": "'muzero-probe[minatar]' (its licence is the GPL)"},
    profiles={"smoke": TINY, "quick": QUICK, "desk": DESK, "paper": PAPER},
    return_range=(0, 20),  # random play 0.5; what search in the true dynamics alone reaches
)
