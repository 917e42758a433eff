"""`python -m benchmarks`: throughput side by side with peers and limits of the same run, as ratios.

Each figure is the median of several rounds; ours and the peer's alternate, so that a drifting machine hits both.
"""

import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import cast

import numpy as np
import torch

from muzero_probe import threads
from muzero_probe.envs import make
from muzero_probe.models import LearnedModel
from muzero_probe.nets.build import build
from muzero_probe.nets.layers import initial_vector
from muzero_probe.nets.mlp import Mlp
from muzero_probe.presets import preset
from muzero_probe.search.mcts import partition, search
from muzero_probe.training.learner import Learner
from muzero_probe.training.replay import Batch

SEEDS = 30
ROUNDS = 3
CONFIG = preset("cartpole", "paper")
ENV = make("cartpole")
NETS = cast(Mlp, build(CONFIG.nets, ENV))


def rate(work: Callable[[], object], amount: float, *, seconds: float = 3.0) -> float:
    """Returns amount per second of repeated calls."""
    work()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work()
        count += 1
    return count * amount / (time.perf_counter() - start)


def parameters() -> torch.Tensor:
    """Initial parameters of all seeds."""
    return torch.tensor(np.stack([initial_vector(NETS.layout, np.random.default_rng(s)) for s in range(SEEDS)]))


def sgemm() -> float:
    """FLOP/s of 2048 x 2048 float32 products, one per core at a time."""
    n = 2048
    tensors = [[torch.randn(n, n) for _ in range(3)] for _ in range(threads.count())]
    tasks = [lambda t=t: torch.mm(t[0], t[1], out=t[2]) for t in tensors]
    return rate(lambda: threads.run(tasks), len(tasks) * 2 * n**3)


def learner_flops() -> int:
    """Floating-point operations of the matrix products of one seed's update: forward, and twice that backward."""
    n, t = NETS, CONFIG.training
    value, reward = NETS.value_support.atoms, NETS.reward_support.atoms
    h = NETS.observation * n.hidden + n.hidden * n.latent
    g = n.latent * n.hidden + n.hidden * n.latent
    head = n.latent * n.hidden
    k = t.unroll_steps
    per_row = h + k * (g + head + n.hidden * reward) + (k + 1) * (2 * head + n.hidden * (value + NETS.actions))
    # h has no gradient by its input
    return 2 * t.batch_size * (3 * per_row - NETS.observation * n.hidden)


def learner() -> float:
    """Seed-updates/s of the learner alone, clipping and Adam included."""
    t = CONFIG.training
    rng = np.random.default_rng(0)
    U, K, B, A = 2, t.unroll_steps, t.batch_size, NETS.actions

    def uniform(*shape: int) -> np.ndarray:
        return rng.random(shape, np.float32)

    batch = Batch(
        observations=uniform(U, SEEDS, B, NETS.observation),
        actions=rng.integers(A, size=(U, SEEDS, K, B)),
        rewards=uniform(U, SEEDS, K, B),
        values=100 * uniform(U, SEEDS, K + 1, B),
        policies=rng.dirichlet(np.ones(A), (U, SEEDS, K + 1, B)).astype(np.float32),
        reward_weights=uniform(U, SEEDS, K, B) / B,
        value_weights=uniform(U, SEEDS, K + 1, B) / B,
        policy_weights=uniform(U, SEEDS, K + 1, B) / B,
    )
    agents = Learner(NETS, parameters(), t)
    return rate(lambda: agents.update(batch), U * SEEDS)


def searcher(roots: int) -> tuple[float, float]:
    """Simulations/s of the search from `roots` roots per seed, and of its net calls alone."""
    B = SEEDS * roots
    rng = np.random.default_rng(0)
    observations = rng.standard_normal((B, NETS.observation)).astype(np.float32)
    model = LearnedModel(NETS, parameters(), np.repeat(np.arange(SEEDS), roots))
    simulations = B * CONFIG.search.simulations
    whole = rate(lambda: search(model, observations, CONFIG.search), simulations)
    parts = [(model.rows(part), observations[part]) for part in partition(B)]

    def nets_only(model: LearnedModel, observations: np.ndarray) -> None:
        latents = model.root(observations).states
        actions = np.zeros(len(latents), np.int64)
        for _ in range(CONFIG.search.simulations):
            latents = model.step(latents, actions).states

    tasks = [lambda p=p: nets_only(*p) for p in parts]
    return whole, rate(lambda: threads.run(tasks), simulations)


def ground_truth() -> float:
    """Cart Pole steps/s along 4096 plans of 16 steps."""
    rng = np.random.default_rng(0)
    states, _ = ENV.reset(np.arange(4096))
    plans = rng.integers(2, size=(4096, 16))
    return rate(lambda: ENV.rollout(states, plans), plans.size)


def peer(*command: str) -> str:
    """Runs a peer's benchmark in a process of its own and returns what it prints."""
    return subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, text=True).stdout


def processor() -> str:
    """Returns the processor's name where the system tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Runs everything and prints a table."""
    threads.configure()
    rounds = []
    for _ in range(ROUNDS):
        peak, updates = sgemm(), learner()
        linear = {n: float(peer("benchmarks.peer_linear", str(n))) for n in (1, threads.cores())}
        few, few_nets = searcher(8)
        many, many_nets = searcher(128)
        mctx = {int(roots): x for roots, x in json.loads(peer("benchmarks.peer_mctx", "8", "128")).items()}
        rounds.append(
            {
                "sgemm, GFLOP/s (the limit)": peak / 1e9,
                "learner, seed-updates/s": updates,
                "loop over nn.Linear agents, seed-updates/s": max(linear.values()),
                "learner / loop": updates / max(linear.values()),
                "learner's matrix products / sgemm": updates * learner_flops() / peak,
                "search 30 x 8 roots, k simulations/s": few / 1e3,
                "mctx 30 x 8 roots, k simulations/s": mctx[8] / 1e3,
                "search / mctx, 30 x 8 roots": few / mctx[8],
                "search 30 x 128 roots, k simulations/s": many / 1e3,
                "mctx 30 x 128 roots, k simulations/s": mctx[128] / 1e3,
                "search / mctx, 30 x 128 roots": many / mctx[128],
                "search time / net calls' time, 30 x 8": few_nets / few,
                "search time / net calls' time, 30 x 128": many_nets / many,
                "Cart Pole ground truth, M steps/s": ground_truth() / 1e6,
                **json.loads(peer("benchmarks.lunar_lander")),
            }
        )
    machine = f"{processor()}, {threads.cores()} cores"
    print(f"{machine}, Python {platform.python_version()}, torch {torch.__version__}")
    print("| | median | min | max |\n|---|---|---|---|")
    for name in dict.fromkeys(chain.from_iterable(rounds)):
        values = [figures[name] for figures in rounds]
        print(f"| {name} | {statistics.median(values):.3g} | {min(values):.3g} | {max(values):.3g} |")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
