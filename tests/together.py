"""A program: is a seed, after some updates, the same agent alone and in any company? Run in processes of their own.

Prints a JSON object: for every agent named on the command line, the digests of all that seed 1 owns, one for each
company. One digest means one agent.
"""

import dataclasses
import hashlib
import json
import sys

import numpy as np

from muzero_probe import agents, threads
from muzero_probe.training.trainer import Trainer

SEED = 1
COMPANIES = ([1], [0, 1], [2, 1, 7])
PROFILES = {"cartpole": "paper", "lunar_lander": "desk", "minatar": "desk", "breakout": "desk"}
# little work with the profiles' nets; replay is searched again in batches of all sizes
SMALL = {
    "steps": 8,
    "checkpoints": (8,),
    "batch_size": 20,
    "environments": 5,
    "warmup_slots": 40,
    "replay_slots": 80,
    "reanalyse_fraction": 0.5,
    "updates_per_environment_step": 0.2,
}


def digest(trainer: Trainer) -> str:
    """Of weights, moments, replay, streams and environments of the seed."""
    index = trainer.seeds.index(SEED)
    E = trainer.config.training.environments
    rows = slice(index * E, (index + 1) * E)
    arrays, meta = trainer.state_dict()
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        if name == "actor.states":
            found.update(trainer.env.to_bytes(trainer.env.from_bytes(array.tobytes())[rows]))
        elif array.ndim:
            found.update(np.ascontiguousarray(array[rows if name.startswith("actor.") else index]).tobytes())
    streams = [states[index] for states in meta["actor"]["streams"].values()]
    found.update(json.dumps([meta["replay_streams"][index], streams], sort_keys=True).encode())
    return found.hexdigest()


def trained(name: str, seeds: list[int]) -> Trainer:
    """A short training."""
    agent = agents.load(name)
    config = agent.config(PROFILES[name])
    training = dataclasses.replace(config.training, **SMALL)
    search = dataclasses.replace(config.search, simulations=10)
    env = agent.make(config.environment)
    nets = agent.build(config.nets, env)
    trainer = Trainer(dataclasses.replace(config, training=training, search=search), env, seeds, nets=nets)
    for _ in trainer.run():
        pass
    return trainer


def main() -> None:
    """Trains every agent named, in every company."""
    threads.configure()
    rng = np.random.default_rng()  # every process has another heap
    kept = [np.empty(rng.integers(1, 400)) for _ in range(int(rng.integers(1, 2000)))]
    kept = kept[:: int(rng.integers(1, 4))]
    print(json.dumps({agent: [digest(trained(agent, seeds)) for seeds in COMPANIES] for agent in sys.argv[1:]}))
    del kept


if __name__ == "__main__":
    main()
