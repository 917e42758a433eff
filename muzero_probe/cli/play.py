"""`muzero-probe play`: episodes of a trained agent, in words and as an animation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
import tyro

from muzero_probe import engine, files
from muzero_probe.agents import Agent, load
from muzero_probe.checkpoints import ROOT, Checkpoint, CheckpointError, list_checkpoints, load_checkpoint
from muzero_probe.cli import animation
from muzero_probe.cli.seeds import show_seeds
from muzero_probe.config import Config
from muzero_probe.envs.base import Environment
from muzero_probe.models.learned import LearnedModel
from muzero_probe.nets.loss import Nets
from muzero_probe.probes.episodes import Act, Episodes, play, reset_seeds
from muzero_probe.probes.foresight import foresight
from muzero_probe.probes.policies import prior_policy, search_policy
from muzero_probe.randomness import advance, row_keys, uniforms
from muzero_probe.runs import inventory
from muzero_probe.search.policies import sample_actions

MOST_EPISODES = 10_000


def _number(otherwise: str) -> Any:
    """An integer on the command line; what stands for none is shown."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda args: int(args[0]),
        is_instance=lambda value: value is None or isinstance(value, int),
        str_from_instance=lambda value: [otherwise if value is None else str(value)],
    )


@dataclass(frozen=True, kw_only=True)
class Play:
    """Plays episodes with a trained agent, a line each, and draws the first one if asked to.

    Its episodes are the first of those that Figure 2 counts for the same seed and step.
    """

    agent: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="AGENT")]
    """Who plays: a name that `muzero-probe agents` lists, or the path of a file that defines it, which is run."""
    profile: str = "quick"
    """Profile that it was trained in."""
    seed: Annotated[int | None, _number("first")] = None
    """Seed that it was trained with; by default the first that is there."""
    step: Annotated[int | None, _number("last")] = None
    """Training step of the checkpoint; by default the last that is there."""
    policy: Literal["search", "prior"] = "search"
    """Whether it searches, at the temperature of that step, or samples from the policy prior alone."""
    episodes: int = 1
    """Episodes to play."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="X.gif")] = None
    """File for an animation of the first episode, beside what the model expects and what comes."""
    root: Path = ROOT
    """Folder of all checkpoints."""

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError(f"episodes is {self.episodes}, at least 1 is needed")
        if self.episodes > MOST_EPISODES:  # they are played side by side
            raise ValueError(f"episodes is {self.episodes}, at most {MOST_EPISODES:,} are possible")
        if self.out is not None and self.out.suffix != ".gif":
            raise ValueError(f"out is {self.out}, its name must end in .gif")
        if self.out is not None and self.out.is_dir():
            raise ValueError(f"out is {self.out}, which is a folder")


class Player(NamedTuple):
    """One checkpoint, ready to play."""

    name: str
    config: Config
    seed: int
    step: int
    env: Environment
    model: Callable[[int], LearnedModel]  # of as many rows


def player(command: Play) -> Player:
    """Opens the checkpoint that a command means.

    Raises:
        ValueError: in one line, if the command names what is not there, or the environment has no pictures to write.
        CheckpointError: if there are no checkpoints, or this one is damaged.
        FileNotFoundError: if there is no folder to write to.
    """
    if command.out is not None:
        files.check_place(command.out)  # before hours of play
        if not command.out.parent.is_dir():
            raise FileNotFoundError(f"{command.out}: there is no folder {command.out.parent}")
    agent = load(command.agent)
    checkpoint, config, env, nets, theta = opened(_chosen(command, agent), agent, command.profile)
    if command.out is not None:
        env.render(env.evaluation.reset([0])[0])  # refuses what has no pictures, before hours of play
    name = f"{agent.title}, seed {checkpoint.seed}, step {checkpoint.step:,}"
    return Player(
        name, config, checkpoint.seed, checkpoint.step, env,
        lambda rows: engine.learned_model(nets, theta, np.zeros(rows, np.int64)),
    )  # fmt: skip


class Opened(NamedTuple):
    """A checkpoint, and the agent that it holds."""

    checkpoint: Checkpoint
    config: Config
    env: Environment
    nets: Nets
    theta: torch.Tensor  # [1, P]


def opened(path: Path, agent: Agent, profile: str) -> Opened:
    """Opens a checkpoint of an agent in a profile.

    Raises:
        CheckpointError: if it is damaged, or not such as this agent's.
    """
    checkpoint = load_checkpoint(path)
    try:
        config = agent.read(checkpoint.config, profile)
        env = agent.make(config.environment)
        nets = agent.build(config.nets, env)
        theta = torch.tensor(nets.layout.vector(checkpoint.arrays))[None]
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path}: does not fit agent {agent.reference} of this version: {error}") from error
    return Opened(checkpoint, config, env, nets, theta)


def _chosen(command: Play, agent: Agent) -> Path:
    """Returns the path of a checkpoint."""
    found = list_checkpoints(command.root, command.profile, agent.name)
    where = f"{command.root}/{command.profile}/{agent.name}"
    if not found:
        raise inventory.absent(command.root, command.profile, agent)
    seeds = sorted({seed for seed, _, _ in found})
    seed = seeds[0] if command.seed is None else command.seed
    if seed not in seeds:
        raise ValueError(f"{where}: no checkpoints of seed {seed}, there are those of {show_seeds(seeds)}")
    paths = {step: path for of, step, path in found if of == seed}
    step = max(paths) if command.step is None else command.step
    if step not in paths:
        raise ValueError(f"{where}: seed {seed} has no checkpoint of step {step}, but of {', '.join(map(str, paths))}")
    return paths[step]


class Trace(NamedTuple):
    """The first of some episodes, T steps, and the last steps of all B."""

    states: np.ndarray  # [T, ...] in which an action was taken
    actions: np.ndarray  # [T]
    last_states: np.ndarray  # [B, ...]
    last_actions: np.ndarray  # [B]


def played(who: Player, policy: Literal["search", "prior"], episodes: int) -> tuple[Episodes, Trace]:
    """Plays episodes; their starts and chances are those of the analysis `returns`."""
    starts = reset_seeds(who.seed, "returns starts", episodes, who.step)
    keys = row_keys(who.seed, "returns keys", episodes, who.step)
    model, search = who.model(episodes), who.config.search
    temperature = who.config.training.temperature(who.step)

    def act(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        own = model.rows(rows)
        if policy == "search":
            policies = search_policy(own, observations, search, temperature, np.full(len(rows), who.seed))
        else:
            policies = prior_policy(own, observations)
        return sample_actions(policies, uniforms(advance(keys[rows], time)))

    watched, trace = _watched(act, episodes)
    return play(who.env, starts, watched), trace()


def _watched(act: Act, episodes: int) -> tuple[Act, Callable[[], Trace]]:
    """Returns a policy that remembers what it did, and what gives that afterwards."""
    states: list[np.ndarray] = []
    actions: list[int] = []
    last: dict[int, tuple[np.ndarray, int]] = {}

    def watched(rows: np.ndarray, now: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        chosen = act(rows, now, observations, time)
        for i, row in enumerate(rows.tolist()):
            last[row] = now[i : i + 1], int(chosen[i])
        if rows[0] == 0:
            states.append(now[:1])
            actions.append(int(chosen[0]))
        return chosen

    def trace() -> Trace:
        ends = [last[row] for row in range(episodes)]
        return Trace(
            np.concatenate(states), np.array(actions),
            np.concatenate([state for state, _ in ends]), np.array([action for _, action in ends]),
        )  # fmt: skip

    return watched, trace


def show(command: Play, who: Player) -> int:
    """Plays, says how every episode went, and writes the animation; returns the exit code."""
    temperature = f"T = {who.config.training.temperature(who.step):g}"
    title = f"{who.name}, " + (f"search at {temperature}" if command.policy == "search" else "policy prior alone")
    episodes, trace = played(who, command.policy, command.episodes)
    game = who.env.evaluation
    terminated = game.step(trace.last_states, trace.last_actions).terminated
    ends = [
        f"return {total:g}, {length} steps, {'terminated' if over else 'time limit'}"
        for total, length, over in zip(episodes.returns, episodes.lengths, terminated, strict=True)
    ]
    for number, end in enumerate(ends, 1):
        print(f"{title}: episode {number}: {end}")
    if command.out is None:
        return 0
    final = game.step(trace.states[-1:], trace.actions[-1:]).states
    states = np.concatenate([trace.states, final])
    episode = animation.Episode(
        agent=who.config.agent,
        title=title,
        end=ends[0],
        cut=not terminated[0],
        pictures=lambda times: who.env.render(states[times]),
        seen=foresight(
            who.env, who.model(len(trace.actions)), trace.states, trace.actions,
            unroll=who.config.training.unroll_steps, discount=who.config.search.discount,
        ),
    )  # fmt: skip
    frames, size = animation.write(episode, command.out)
    print(f"{command.out}: {frames} frames, {size / 1e6:.2f} MB")
    return 0
