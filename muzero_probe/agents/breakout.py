"""ALE's Breakout, without sticky actions: EfficientZero's set-up of Atari without its additions.

Ours, as in the other agents: Adam from 1e-3 to 1e-4 (SGD from 0.2 there), and a tenth of the positions searched
again (99 of 100 there, on GPUs of their own).
"""

from typing import Any

from muzero_probe.agents.card import Agent, Profile, replace
from muzero_probe.config import ResidualNetsConfig, SearchConfig, TrainingConfig
from muzero_probe.envs.base import Environment


def environment(**parameters: Any) -> Environment:
    """Loads the emulator, which no other agent needs."""
    from muzero_probe.envs.breakout import Breakout

    return Breakout(**parameters)


def analyses(*steps: int, prior_effect: int, states: int, episodes: int) -> dict[str, Any]:
    """What all sizes of the study share."""
    return {
        "bank": {"episodes": episodes, "states": states},
        "returns": {"episodes": episodes},
        "own_policy": {"states": states, "samples": 32},
        "sequences": {"states": states, "length": 4, "steps": steps},  # study: 4^4 = 256 sequences
        "cross_checkpoint": {"states": min(states, 8), "samples": 32},
        "prior_effect": {"states": states, "step": prior_effect, "horizon": 32},  # study: planning horizon
        # a simulation costs hundredths of a second in either model, a game up to 3,000 decisions
        "planning": {"seeds": 5, "episodes": 1, "steps": steps[-1:], "horizon": 32, "budgets": (4, 16)},
    }


PAPER = Profile(
    nets=ResidualNetsConfig(),
    search=SearchConfig(discount=0.997**4, dirichlet_alpha=0.3),  # study; EfficientZero
    training=TrainingConfig(
        steps=500_000,  # study
        checkpoints=(0, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000),
        batch_size=256,
        unroll_steps=5,  # study
        n_step=5,
        environments=4,
        updates_per_environment_step=1.0,  # EfficientZero: as many updates as steps
        warmup_slots=500,  # 2,000 steps before the first update
        replay_slots=25_000,  # 100,000 steps
        priority_alpha=0.6,
        value_weight=0.25,
    ),
    seeds=20,  # study
    analyses=analyses(1_000, 10_000, 100_000, 500_000, prior_effect=10_000, states=50, episodes=20)
    | {
        "shard": 5,  # states of 40 KB: those of 20 episodes each take up to 13 GB
        "planning": {"seeds": 5, "episodes": 1, "steps": (10_000, 500_000), "horizon": 32, "budgets": (4, 8, 16, 32)},
    },
)

# What two cores do in two or three hours: a few seeds, screens of half the side, a quarter of the planes.
# "Measured" here: seeds 1000 and 1001, for 2,000 updates or, with "ladder", for 5,000 to 8,000.
DESK = replace(
    PAPER,
    # ladder: bricks a life rose by 0.3 with screens of the field and latents of 6 x 6. Serving is for the gate
    environment={"side": 48, "serve": True, "field": True},
    # h(99) is 9.1: more than any value, with rewards of 1 for a brick. Around 0, where training starts
    nets=ResidualNetsConfig(
        channels=16, shrinks=8, head_planes=8, value_low=-10, value_high=10, reward_low=-2, reward_high=2
    ),
    training={
        "steps": 80_000,
        "checkpoints": (0, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 80_000),
        "batch_size": 64,  # more and smaller updates in the same time
        # EfficientZero has 5 and searches nearly all positions again; here, replay's values are old. Measured:
        # one action is 65 and 70 % of all after 1,344 updates with 5 and two environment steps per update, at most
        # 43 % until 1,600 with 15 and four
        "n_step": 15,
        # four environment steps per update: in torch a search of 32 rows cost a fifth more than one of 4. Not tuned
        "environments": 32,
        "updates_per_environment_step": 0.25,
        "warmup_slots": 63,  # 2,000 steps
        "replay_slots": 3_000,  # 96,000 steps
        "reanalyse_fraction": 0.02,  # in torch a search again cost as much as four positions of an update
        "revalue_fraction": 0.25,  # ladder: bricks a life rose by 0.17
    },
    seeds=4,
    counts=False,  # until they pass the gate: a mean return of 10, 95 % of decisions in play
    analyses=analyses(1_000, 10_000, 80_000, prior_effect=10_000, states=16, episodes=5)
    | {
        "shard": 2,  # of four seeds: half for each of two cores
        "planning": {"episodes": 3, "steps": (1_000, 80_000), "horizon": 32, "budgets": (4,)},
    },
)

QUICK = replace(
    DESK,
    training={"steps": 2_000, "checkpoints": (0, 500, 1_000, 2_000)},
    seeds=2,
    analyses=analyses(500, 2_000, prior_effect=1_000, states=6, episodes=2) | {"shard": 1},
)

# seconds; every part runs, nothing is learned
TINY = replace(
    DESK,
    environment={"side": 48, "field": True, "time_limit": 40},  # agents serve: diagnosis has waiting ones
    nets={"channels": 4, "head_planes": 2, "head_hidden": 8},
    search={"simulations": 4},
    training={
        "steps": 20,
        "checkpoints": (0, 10, 20),
        "batch_size": 8,
        "unroll_steps": 3,
        "n_step": 3,
        "environments": 2,
        "warmup_slots": 30,
        "replay_slots": 100,
        "updates_per_environment_step": 0.5,
    },
    seeds=2,
    analyses={
        "shard": 1,
        "bank": {"episodes": 2, "states": 3},
        "returns": {"episodes": 2},
        "own_policy": {"states": 2, "samples": 2},
        "sequences": {"states": 1, "length": 2, "steps": (10, 20)},
        "cross_checkpoint": {"states": 1, "samples": 2},
        "prior_effect": {"states": 1, "step": 10, "horizon": 4, "budgets": (2, 4)},
        "planning": {"episodes": 1, "steps": (20,), "horizon": 4, "budgets": (2,)},
    },
)

AGENT = Agent(
    title="Breakout (ALE)",
    environment=environment,
    needs={"ale_py": "'muzero-probe[atari]'", "cv2": "'muzero-probe[atari]'"},
    profiles={"smoke": TINY, "quick": QUICK, "desk": DESK, "paper": PAPER},
    return_range=(2, 32),  # random play; a human (Mnih et al. 2015)
)
