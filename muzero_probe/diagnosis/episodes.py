"""What does an agent do in a few episodes, as its checkpoint plays them?"""

import numpy as np
import torch

from muzero_probe.config import Config
from muzero_probe.diagnosis.evidence import Evidence, Measured
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment, check_reset, check_step, in_play
from muzero_probe.nets.loss import Nets
from muzero_probe.probes.episodes import reset_seeds
from muzero_probe.randomness import advance, observation_keys, row_keys, uniforms
from muzero_probe.search.policies import sample_actions, search_policies

STEPS = 500  # of an episode, at most: an agent that waits in ALE would search 3,000 times


def of_episodes(
    env: Environment, nets: Nets, theta: torch.Tensor, config: Config, *, seed: int, step: int, episodes: int
) -> Evidence:
    """Plays the first steps of the episodes that Figure 2 counts, with search, and says what was seen.

    Args:
        env: what the agent was trained in; its `evaluation` is played.
        nets: the agent's.
        theta: [1, P] parameters.
        config: the agent's.
        seed: that it was trained with.
        step: of the checkpoint, whose temperature it has.
        episodes: 1 or more.
    """
    game = env.evaluation
    starts, keys = reset_seeds(seed, "returns starts", episodes, step), row_keys(seed, "returns keys", episodes, step)
    states, observations = check_reset(game, game.reset(starts), episodes)
    rows, time = np.arange(episodes), 0
    idle = np.zeros(episodes, bool)  # whether the time limit came before any reward
    rewarded = np.zeros(episodes, bool)
    taken = np.zeros(nets.actions)
    overruled, playing, mass = 0, 0, 0.0
    says = True
    temperature = config.training.temperature(step)
    while rows.size and time < STEPS:
        model = learned_model(nets, theta, np.zeros(len(rows), np.int64))
        ties = observation_keys(observations, np.full(len(rows), seed))
        found = search_policies(model, observations, config.search, temperature=temperature, keys=ties)
        actions = sample_actions(found.acting, uniforms(advance(keys[rows], time)))
        favourite = found.said.prior_logits.argmax(1)[:, None]
        overruled += int((np.take_along_axis(found.training, favourite, 1)[:, 0] < found.training.max(1)).sum())
        on = in_play(game, states)
        says = says and on is not None
        playing += 0 if on is None else int(on.sum())
        mass += float(outermost(nets, theta, observations).sum())
        taken += np.bincount(actions, minlength=nets.actions)
        answer = check_step(game, game.step(states, actions), len(rows))
        time += 1
        rewarded[rows] |= answer.rewards != 0
        if time == game.time_limit:
            idle[rows] = ~rewarded[rows] & ~answer.terminated
        running = ~answer.terminated & (time != game.time_limit)
        rows, states, observations = rows[running], answer.states[running], answer.observations[running]
    evidence = Evidence()
    decisions = taken.sum()
    numbers = {
        "action_share": taken.max() / decisions, "disagreement": overruled / decisions, "saturated": mass / decisions,
    }  # fmt: skip
    if says:
        numbers["in_play_share"] = playing / decisions
    else:
        evidence.unknown["in_play_share"] = "the environment does not say whether the game is on"
    if rows.size:
        evidence.unknown["idle_share"] = f"episodes were watched for {STEPS} steps, before they ended"
    else:
        numbers["idle_share"] = idle.mean()
    where = f"in {episodes} episode{'s' * (episodes > 1)} of the checkpoint of step {step:,}"
    evidence.known.update({name: Measured(float(value), where) for name, value in numbers.items()})
    return evidence


def outermost(nets: Nets, theta: torch.Tensor, observations: np.ndarray) -> np.ndarray:
    """Returns the probability [B] that f gives the outermost atoms of the value at B states.

    An outermost atom at 0 is a value as good as any, and does not count: returns need not lie below it.

    Args:
        nets: those of one agent.
        theta: [1, P] parameters.
        observations: [B, *observation shape].
    """
    p = nets.layout.views(theta)
    flat = torch.as_tensor(np.ascontiguousarray(observations)).reshape(1, len(observations), -1)
    with torch.no_grad():
        logits, _ = nets.prediction(p, nets.representation(p, flat.to(theta.dtype)))
    probability = logits[0].softmax(-1).numpy()
    ends = [place for place, atom in ((0, nets.value_support.low), (-1, nets.value_support.high)) if atom != 0]
    return probability[:, ends].sum(1)
