"""A population's checkpoints as analyses see them, and the states that its agents visit."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

from muzero_probe import checkpoints
from muzero_probe.checkpoints import CheckpointError
from muzero_probe.cli.seeds import show_seeds
from muzero_probe.config import Config
from muzero_probe.envs import make
from muzero_probe.envs.base import Environment
from muzero_probe.models import LearnedModel
from muzero_probe.nets.build import build
from muzero_probe.nets.loss import Nets
from muzero_probe.probes.value_error import Policy
from muzero_probe.search.mcts import search, visit_policy


@dataclass(frozen=True, kw_only=True)
class Population:
    """Checkpoints of one agent and profile: every seed at every step."""

    root: Path
    profile: str
    agent: str
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    config: Config
    config_hash: str
    commits: tuple[str, ...]  # code that trained the agents
    digests: dict[tuple[int, int], str]  # by seed and step

    def shards(self, size: int, count: int = 0) -> list[tuple[int, ...]]:
        """Cuts the first `count` seeds (0: all) into tuples of at most `size`."""
        seeds = self.seeds[: count or None]
        return [seeds[i : i + size] for i in range(0, len(seeds), size)]

    def agents(self, seeds: tuple[int, ...], step: int, device: str) -> "Agents":
        """Loads the nets of some seeds at one step."""
        env = make(self.config.environment)
        nets = build(self.config.nets, env)
        vectors = []
        for seed in seeds:
            path = checkpoints.checkpoint_path(self.root, self.profile, self.agent, seed, step)
            try:
                vectors.append(nets.layout.vector(checkpoints.load_checkpoint(path).arrays))
            except ValueError as error:
                raise CheckpointError(
                    f"{path}: does not fit {env.name} with {env.num_actions} actions and observations "
                    f"{list(env.observation_shape)}: {error}; "
                    "train it again, or take the package versions in its header"
                ) from error
        theta = torch.tensor(np.stack(vectors), device=device)
        return Agents(config=self.config, env=env, nets=nets, theta=theta, seeds=seeds, step=step)


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Some seeds' nets at one step."""

    config: Config
    env: Environment
    nets: Nets
    theta: torch.Tensor  # [S, P]
    seeds: tuple[int, ...]
    step: int

    @cached_property
    def temperature(self) -> float:
        """T of pi_MuZero at this checkpoint."""
        return self.config.training.temperature(self.step)

    def model(self, row_seeds: np.ndarray) -> LearnedModel:
        """The learned models of rows, given by index into `seeds`, ascending."""
        return LearnedModel(self.nets, self.theta, row_seeds)

    def behaviour(self, row_seeds: np.ndarray) -> Policy:
        """pi_MuZero of rows as a function of (selected rows, observations).

        It is a fixed distribution, so an agent searches once for what it sees more than once: several plans begin in
        the same state, and an agent that does not serve sees the same screens for thousands of steps.
        """
        model = self.model(row_seeds)
        known: dict[tuple[int, bytes], np.ndarray] = {}  # by seed and digest of the observation

        def policy(rows: np.ndarray, observations: np.ndarray) -> np.ndarray:
            seen = [blake2b(x.tobytes(), digest_size=16).digest() for x in observations]
            keys = list(zip(row_seeds[rows].tolist(), seen, strict=True))
            first = {key: i for i, key in reversed([*enumerate(keys)]) if key not in known}
            new = np.array(sorted(first.values()), np.int64)
            if new.size:
                visits = search(model.rows(rows[new]), observations[new], self.config.search).visits
                for i, found in zip(new, visit_policy(visits, self.temperature), strict=True):
                    known[keys[i]] = found
            return np.array([known[key] for key in keys])

        return policy


def find(root: Path, profile: str, agent: str, seeds: tuple[int, ...] | None) -> Population:
    """Finds a population on disk.

    Args:
        root: the checkpoints' root folder.
        profile: of the run.
        agent: of the run.
        seeds: to analyse; None for all that exist.

    Raises:
        CheckpointError: if nothing is there, a seed lacks a step of the config, a file is damaged, or configs
            differ between files.
    """
    found = checkpoints.list_checkpoints(root, profile, agent)
    where = f"{root}/{profile}/{agent}"
    advice = f"make them with: muzero-probe train {agent} --profile {profile} --root {root}"
    named = f" --seeds {show_seeds(seeds)}" if seeds else ""
    if not found:
        raise CheckpointError(f"{where}: no checkpoints; {advice}{named}")
    present = {(seed, step) for seed, step, _ in found}
    chosen = seeds or tuple(sorted({seed for seed, _ in present}))
    headers = {(seed, step): checkpoints.read_header(path) for seed, step, path in found if seed in chosen}
    if not headers:
        raise CheckpointError(f"{where}: no checkpoints of seeds {show_seeds(chosen)}; {advice}{named}")
    hashes = {header.config_hash for header in headers.values()}
    if len(hashes) > 1:
        raise CheckpointError(
            f"{where}: checkpoints of different configs {sorted(hashes)}; choose the seeds of one, "
            "`muzero-probe status` shows them"
        )
    first = next(iter(headers.values()))
    try:
        config = Config.from_dict(first.config)
    except ValueError as error:
        raise CheckpointError(f"{where}: written by another version of the code ({error})") from error
    steps = config.training.checkpoints
    missing = [(seed, step) for seed in chosen for step in steps if (seed, step) not in present]
    if missing:
        raise CheckpointError(
            f"{where}: {len(missing)} of {len(chosen) * len(steps)} checkpoints are missing, "
            f"first seed {missing[0][0]} step {missing[0][1]}; {advice} --seeds {show_seeds({s for s, _ in missing})}"
        )
    return Population(
        root=root, profile=profile, agent=agent, seeds=chosen, steps=steps, config=config,
        config_hash=first.config_hash,
        commits=tuple(sorted({header.commit for header in headers.values()})),
        digests={key: header.digest for key, header in headers.items()},
    )  # fmt: skip


def select_steps(population: Population, wanted: tuple[int, ...], analysis: str) -> tuple[int, ...]:
    """Returns the wanted checkpoints.

    Raises:
        CheckpointError: if the population was trained without one of them.
    """
    unknown = [step for step in wanted if step not in population.steps]
    if unknown:
        raise CheckpointError(
            f"{analysis}: steps {unknown} are no checkpoints of this population, which has {list(population.steps)}"
        )
    return wanted
