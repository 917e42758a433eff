"""How large are the rings of replay, once they are full?"""

import math

from benchmarks import page
from benchmarks.whole_run import REPORTED
from muzero_probe import agents
from muzero_probe.training.replay import FIELDS, Replay

PROFILES = (*REPORTED.items(), ("breakout", "paper"))


def lines() -> list[str]:
    """Returns a table of profiles."""
    rows = []
    for name, profile in PROFILES:
        agent = agents.load(name)
        of, env = agent.profile(profile), agent.make(agent.profile(profile).environment)
        positions = of.training.environments * of.training.replay_slots
        replay = Replay(
            of.training, seeds=1, observation_shape=env.observation_shape, num_actions=env.num_actions,
            discount=of.search.discount, observation_dtype=env.observation_dtype, screens=env.screens,
        )  # fmt: skip
        screens = replay.frames.newest.nbytes + replay.frames.reach.nbytes
        held = screens + sum(getattr(replay, name).nbytes for name in FIELDS)
        apart = math.prod(env.observation_shape) * replay.frames.newest.itemsize
        cells = [f"{count:,}" for count in (of.seeds, positions, held // positions, apart)]
        rows.append([f"{agent.title} `{profile}`", *cells, f"{held * of.seeds / 1e9:.3g}"])
    head = ["", "seeds", "positions of a seed", "bytes of a position", "bytes of an observation", "all seeds, GB"]
    return page.table(head, rows)
