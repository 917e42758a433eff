"""`python -m benchmarks`: throughput side by side with peers and limits of the same run, as ratios.

Prints all figures of docs/performance.md and writes them there.

Each figure is the median of several rounds; ours and the peer's alternate, so that a drifting machine hits both.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import cast

import llvmlite.binding as llvm
import numpy as np
import torch

from benchmarks import memory, page, studies, whole_run
from muzero_probe import agents, engine, threads
from muzero_probe.checkpoints import ROOT
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.exact.products import LANES, ROWS
from muzero_probe.models import Model
from muzero_probe.nets.layers import initial_vector
from muzero_probe.nets.mlp import WINDOW, Mlp
from muzero_probe.search.mcts import partition, search
from muzero_probe.training.batch import Batch

ROUNDS = 3
PEERS = Path(".venv") / "peers"  # what a peer alone needs


class Population:
    """Fresh agents of a profile whose nets are compiled."""

    def __init__(self, name: str, profile: str) -> None:
        """Builds their nets."""
        agent = agents.load(name)
        self.config = agent.config(profile)
        self.nets = cast(Mlp, agent.build(self.config.nets, agent.make(self.config.environment)))
        self.size = agent.profile(profile).seeds

    def parameters(self) -> torch.Tensor:
        """Initial parameters [S, P]."""
        vectors = [initial_vector(self.nets.layout, np.random.default_rng(s)) for s in range(self.size)]
        return torch.tensor(np.stack(vectors))


def rate(work: Callable[[], object], amount: float, *, seconds: float = 3.0) -> float:
    """Returns amount per second of repeated calls."""
    work()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work()
        count += 1
    return count * amount / (time.perf_counter() - start)


def sgemm() -> float:
    """FLOP/s of 2048 x 2048 float32 products, one per core at a time."""
    n = 2048
    tensors = [[torch.randn(n, n) for _ in range(3)] for _ in range(threads.count())]
    tasks = [lambda t=t: torch.mm(t[0], t[1], out=t[2]) for t in tensors]
    return rate(lambda: threads.run(tasks), len(tasks) * 2 * n**3)


def learner_flops(agents: Population) -> int:
    """Floating-point operations of the matrix products of one seed's update: forward, and twice that backward."""
    n, t = agents.nets, agents.config.training
    value, reward = n.value_support.atoms, n.reward_support.atoms
    first, features = n.observation * n.hidden, n.hidden
    if n.filters:
        height, width, planes = n.image
        places = (height - WINDOW + 1) * (width - WINDOW + 1)
        first, features = places * WINDOW * WINDOW * planes * n.filters, places * n.filters
    h = first + features * n.latent
    g = n.latent * n.hidden + n.hidden * n.latent
    head = n.latent * n.hidden
    k = t.unroll_steps
    per_row = h + k * (g + head + n.hidden * reward) + (k + 1) * (2 * head + n.hidden * (value + n.actions))
    # h has no gradient by its input
    return 2 * t.batch_size * (3 * per_row - first)


def learner(agents: Population) -> float:
    """Seed-updates/s of the learner alone, clipping and Adam included."""
    t = agents.config.training
    rng = np.random.default_rng(0)
    U, S, K, B, A = 2, agents.size, t.unroll_steps, t.batch_size, agents.nets.actions

    def uniform(*shape: int) -> np.ndarray:
        return rng.random(shape, np.float32)

    batch = Batch(
        observations=uniform(U, S, B, agents.nets.observation),
        actions=rng.integers(A, size=(U, S, K, B)),
        rewards=uniform(U, S, K, B),
        values=100 * uniform(U, S, K + 1, B),
        policies=rng.dirichlet(np.ones(A), (U, S, K + 1, B)).astype(np.float32),
        reward_weights=uniform(U, S, K, B) / B,
        value_weights=uniform(U, S, K + 1, B) / B,
        policy_weights=uniform(U, S, K + 1, B) / B,
    )
    learner = engine.learner(agents.nets, agents.parameters(), t)
    return rate(lambda: learner.update(batch), U * S)


def searcher(agents: Population, roots: int) -> tuple[float, float]:
    """Simulations/s of the search from `roots` roots per seed, and of its net calls alone."""
    B = agents.size * roots
    config = agents.config.search
    rng = np.random.default_rng(0)
    observations = rng.standard_normal((B, agents.nets.observation)).astype(np.float32)
    model = engine.learned_model(agents.nets, agents.parameters(), np.repeat(np.arange(agents.size), roots))
    simulations = B * config.simulations
    whole = rate(lambda: search(model, observations, config), simulations)
    parts = [(model.rows(part), observations[part]) for part in partition(B)]

    def nets_only(model: Model, observations: np.ndarray) -> None:
        latents = model.root(observations).states
        actions = np.zeros(len(latents), np.int64)
        for _ in range(config.simulations):
            latents = model.step(latents, actions).states

    tasks = [lambda p=p: nets_only(*p) for p in parts]
    return whole, rate(lambda: threads.run(tasks), simulations)


def ground_truth() -> float:
    """Cart Pole steps/s along 4096 plans of 16 steps."""
    env = CartPole()
    rng = np.random.default_rng(0)
    states, _ = env.reset(np.arange(4096))
    plans = rng.integers(2, size=(4096, 16))
    return rate(lambda: env.rollout(states, plans), plans.size)


def peer(*command: str) -> str:
    """Runs a peer's benchmark in a process of its own and returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(page.ROOT), str(page.ROOT / PEERS)])}
    words = [sys.executable, "-m", *command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def side_by_side(cartpole: Population, minatar: Population) -> dict[str, float]:
    """Measures everything once and returns figures by their names."""
    peak, updates = sgemm(), learner(cartpole)
    linear = {n: float(peer("benchmarks.peer_linear", str(n))) for n in (1, threads.cores())}
    few, few_nets = searcher(cartpole, 8)
    many, many_nets = searcher(cartpole, 128)
    mctx = {int(roots): x for roots, x in json.loads(peer("benchmarks.peer_mctx", "8", "128")).items()}
    images = learner(minatar)
    return {
        "sgemm, GFLOP/s (the limit)": peak / 1e9,
        "learner, seed-updates/s": updates,
        "loop over nn.Linear agents, seed-updates/s": max(linear.values()),
        "learner / loop": updates / max(linear.values()),
        "learner's matrix products / sgemm": updates * learner_flops(cartpole) / peak,
        "search 30 x 8 roots, k simulations/s": few / 1e3,
        "mctx 30 x 8 roots, k simulations/s": mctx[8] / 1e3,
        "search / mctx, 30 x 8 roots": few / mctx[8],
        "search 30 x 128 roots, k simulations/s": many / 1e3,
        "mctx 30 x 128 roots, k simulations/s": mctx[128] / 1e3,
        "search / mctx, 30 x 128 roots": many / mctx[128],
        "search time / net calls' time, 30 x 8": few_nets / few,
        "search time / net calls' time, 30 x 128": many_nets / many,
        **json.loads(peer("benchmarks.trees")),
        "Cart Pole ground truth, M steps/s": ground_truth() / 1e6,
        "MinAtar learner, seed-updates/s": images,
        "MinAtar learner's matrix products / sgemm": images * learner_flops(minatar) / peak,
        **json.loads(peer("benchmarks.lunar_lander")),
        **json.loads(peer("benchmarks.breakout")),
    }


def main() -> None:
    """Runs everything, prints the tables and writes them."""
    threads.configure()
    cartpole, minatar = Population("cartpole", "paper"), Population("minatar", "desk")
    runs = [whole_run.WholeRun(name, profile) for name, profile in whole_run.REPORTED.items()]
    rounds, stretches = [], []
    for _ in range(ROUNDS):
        rounds.append(side_by_side(cartpole, minatar))
        stretches.append([run.advance(whole_run.SECONDS) for run in runs])
    rows = []
    for name in dict.fromkeys(chain.from_iterable(rounds)):
        rows.append([name, *page.spread([figures[name] for figures in rounds])])
    kernels = torch.backends.cpu.get_cpu_capability()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    bench = [
        page.machine(),
        f"Compiled for {llvm.get_host_cpu_name()} in tiles of {ROWS} rows and {LANES} columns; torch's kernels are for "
        f"{kernels}. Peak memory {peak:.2f} GiB.",
        "",
        *page.table(["", "median", "min", "max"], rows),
    ]
    page.put(page.PERFORMANCE, "bench", bench)
    measured = list(zip(runs, zip(*stretches, strict=True), strict=True))
    page.put(page.PERFORMANCE, "whole runs", [page.machine(), "", *whole_run.lines(measured)])
    page.put(page.PERFORMANCE, "studies", studies.lines(list(studies.trained(ROOT))))
    page.put(page.PERFORMANCE, "memory", memory.lines())


if __name__ == "__main__":
    main()
