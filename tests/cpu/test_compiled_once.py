"""Does a process that compiles the kernels compute the bits of one that loads them from the cache?"""

import os
import subprocess
import sys
from pathlib import Path

# acts, searches again and updates; the digest is of weights, Adam's moments and replay
PROGRAM = """
import dataclasses, hashlib, numpy as np
from muzero_probe import agents, threads
from muzero_probe.training.trainer import Trainer

threads.configure(1)
agent = agents.load("cartpole")
config = agent.config("quick")
small = dict(steps=8, checkpoints=(8,), warmup_slots=32, replay_slots=64, environments=4, batch_size=64)
config = dataclasses.replace(config, training=dataclasses.replace(config.training, **small))
trainer = Trainer(config, agent.make(config.environment), [0])
for _ in trainer.run(metrics_every=8):
    pass
arrays, _ = trainer.state_dict()
digest = hashlib.sha256()
for name in sorted(arrays):
    digest.update(np.ascontiguousarray(arrays[name]).tobytes())
print(trainer.step, digest.hexdigest())
"""


def test_compiling_and_loading_processes_agree(tmp_path: Path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> str:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout

    compiling = run()
    assert list(tmp_path.rglob("*.nbc"))  # the second process has something to load
    assert run() == compiling
    assert compiling.startswith("8 ")
