"""Does self-play write what happened, and does it tell a time limit from a termination?"""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain
from muzero_probe.models import LearnedModel
from muzero_probe.nets.mlp import Mlp
from muzero_probe.randomness import stream
from muzero_probe.search.mcts import search
from muzero_probe.search.policies import Searched, search_policies, visit_policy
from muzero_probe.training import acting
from muzero_probe.training.acting import Actor
from tests.doubles import random_nets, random_theta, treadmill

SEEDS, E = [3, 8], 3
SEARCH = SearchConfig(simulations=7, discount=0.9, dirichlet_alpha=0.5)


class Tape:
    """Keeps what would go to replay."""

    def __init__(self) -> None:
        self.slots: list[dict[str, np.ndarray]] = []

    def add(self, **slot: np.ndarray) -> None:
        self.slots.append({name: np.array(array) for name, array in slot.items()})

    @property
    def written(self) -> int:
        return len(self.slots)

    def __getitem__(self, name: str) -> np.ndarray:
        """[slots, S, E, ...]."""
        return np.stack([slot[name] for slot in self.slots])


def nets_of(env: Environment) -> Mlp:
    return random_nets(observation=int(np.prod(env.observation_shape)), actions=env.num_actions)


def model_of(env: Environment, seeds: list[int], environments: int = E) -> LearnedModel:
    nets = nets_of(env)
    theta = torch.cat([random_theta(nets, first=seed) for seed in seeds])
    return learned_model(nets, theta, np.repeat(np.arange(len(seeds)), environments))


def play(env: Environment, slots: int, *, temperature: float = 1.0, seeds: list[int] = SEEDS) -> tuple[Actor, Tape]:
    actor, tape = Actor(env, SEARCH, seeds=seeds, environments=E), Tape()
    model = model_of(env, seeds)
    for _ in range(slots):
        actor.act(model, temperature, tape)  # pyright: ignore
    return actor, tape


def test_a_time_limit_gets_a_slot_of_its_own():
    env = treadmill(time_limit=3)
    actor, tape = play(env, 9)
    assert not tape["terminated"].any()
    final = np.array([False, False, False, True] * 2 + [False])
    assert np.array_equal(tape["final"], np.broadcast_to(final[:, None, None], (9, 2, 3)))
    returns: list[list[float]] = [[], []]
    for s in range(2):
        for e in range(E):
            state, total = 0, 0.0
            for i in range(9):
                assert tape["observations"][i, s, e].argmax() == state
                action = tape["actions"][i, s, e]
                if final[i]:  # searched, but nothing happens
                    assert action == 0 and tape["rewards"][i, s, e] == 0
                    assert tape["values"][i, s, e] != 0
                    returns[s].append(total)
                    state, total = 0, 0.0
                    continue
                assert tape["rewards"][i, s, e] == env.rewards[state, action]
                total += float(env.rewards[state, action])
                state = int(env.transitions[state, action])
    assert [sorted(mine) for mine in actor.pop_returns()] == [sorted(mine) for mine in returns]
    assert actor.pop_returns() == [[], []]
    assert len(np.unique(tape["actions"][~tape["final"]])) == 2


def test_without_a_time_limit_an_episode_goes_on():
    actor, tape = play(treadmill(time_limit=None), 12)
    assert not tape["final"].any() and not tape["terminated"].any()
    assert actor.pop_returns() == [[], []]


def test_a_termination_needs_no_slot():
    env = chain(2)
    actor, tape = play(env, 40)
    assert not tape["final"].any()
    state = tape["observations"].argmax(-1)
    assert np.array_equal(tape["terminated"], (state == 1) & (tape["actions"] == 1))
    assert np.array_equal(tape["rewards"], tape["terminated"])
    ended = tape["terminated"][:-1]
    assert ended.sum() > 20
    assert (state[1:][ended] == 0).all()
    assert np.array_equal(state[1:][~ended], env.transitions[state, tape["actions"]][:-1][~ended])
    assert actor.pop_returns() == [[1.0] * int(tape["terminated"][:, s].sum()) for s in range(2)]


def test_a_termination_at_the_time_limit_is_a_termination():
    env = bandit()
    env.time_limit = 1
    actor, tape = play(env, 5)
    assert tape["terminated"].all() and not tape["final"].any()
    assert [len(mine) for mine in actor.pop_returns()] == [15, 15]


def test_only_whole_episodes_are_counted_against_the_time_limit():
    """State 1 is one step from an early end; whoever takes the long way is cut after 4 steps."""
    env = TabularEnvironment(
        np.array([[0, 1], [1, 1]]), np.array([[0.5, 0.0], [0.0, 0.0]]), [False, True], name="exit", time_limit=4
    )
    _, tape = play(env, 60)
    for s in range(2):
        for e in range(E):
            length = 0
            for i in range(60):
                assert tape["final"][i, s, e] == (length == 4)
                ended = tape["final"][i, s, e] or tape["terminated"][i, s, e]
                length = 0 if ended else length + 1
    assert tape["final"].any() and tape["terminated"].any()
    assert not (tape["final"] & tape["terminated"]).any()  # an exit searched at the limit is not taken


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("env", [treadmill(), CartPole()], ids=lambda env: env.name)
def test_what_is_written_is_the_search_s(env: Environment, temperature: float):
    """Policy at temperature 1 and root value of a search with the seed's noise; the action from its own stream."""
    _, tape = play(env, 6, temperature=temperature)
    model = model_of(env, SEEDS)
    noises = [stream(seed, "noise") for seed in SEEDS]
    draws = [stream(seed, "actions") for seed in SEEDS]
    alpha = np.full(env.num_actions, SEARCH.dirichlet_alpha)
    for i in range(6):
        observations = tape["observations"][i].reshape(len(SEEDS) * E, -1)
        noise = np.concatenate([rng.dirichlet(alpha, E) for rng in noises])
        result = search(model, observations, SEARCH, noise=noise)
        assert np.array_equal(tape["values"][i].ravel(), result.values)
        shares = result.visits / SEARCH.simulations
        np.testing.assert_allclose(tape["policies"][i].reshape(-1, env.num_actions), shares, rtol=1e-12)
        chances = shares ** (1 / temperature)
        edges = np.cumsum(chances / chances.sum(1, keepdims=True), 1)
        thrown = np.concatenate([rng.random(E) for rng in draws])
        expected = [np.searchsorted(edge, draw, side="right") for edge, draw in zip(edges, thrown, strict=True)]
        final = tape["final"][i].ravel()
        assert np.array_equal(tape["actions"][i].ravel()[~final], np.array(expected)[~final])


def test_low_temperatures_sharpen_what_is_played():
    env = bandit((0.0, 0.0, 0.0))
    nets = nets_of(env)
    model = learned_model(nets, random_theta(nets), np.zeros(400, int))
    config = SearchConfig(simulations=12, c1=6.0, dirichlet_fraction=0.0)
    visits = search(model, np.tile([[1.0, 0.0]], (400, 1)), config).visits[0]
    assert len(np.unique(visits[visits > 0])) > 1
    for temperature in (1.0, 0.5, 0.25):
        actor, tape = Actor(env, config, seeds=[0], environments=400), Tape()
        for _ in range(10):
            actor.act(model, temperature, tape)  # pyright: ignore
        counts = np.bincount(tape["actions"].ravel(), minlength=3)
        expected = 4000 * visit_policy(visits, temperature)
        assert not counts[visits == 0].any()
        common = expected > 5
        assert (
            stats.chisquare(counts[common], expected[common] * counts[common].sum() / expected[common].sum()).pvalue
            > 1e-3
        )


def test_environments_start_from_the_seed_s_own_stream():
    env = CartPole()
    _, tape = play(env, 1)
    for s, seed in enumerate(SEEDS):
        starts = stream(seed, "resets").integers(2**31, size=E)
        assert np.array_equal(tape["observations"][0, s], env.reset(starts)[1])


@pytest.mark.parametrize("env", [treadmill(), chain(2), CartPole()], ids=lambda env: env.name)
def test_a_seed_plays_the_same_alone(env: Environment):
    together, a = play(env, 30)
    alone, b = play(env, 30, seeds=[8])
    for name in a.slots[0]:
        assert np.array_equal(a[name][:, [1]], b[name])
    assert together.pop_returns()[1] == alone.pop_returns()[0]


@pytest.mark.parametrize("env", [treadmill(), chain(2), CartPole()], ids=lambda env: env.name)
@pytest.mark.parametrize("slots", [3, 14])
def test_state_dict_round_trip_gives_the_same_future(env: Environment, slots: int):
    actor, _ = play(env, slots)
    arrays, meta = actor.state_dict()
    arrays, meta = {name: array.copy() for name, array in arrays.items()}, json.loads(json.dumps(meta))
    other, _ = play(env, 5, seeds=[1, 2])  # in the middle of something else
    other.load_state_dict(arrays, meta)
    model = model_of(env, SEEDS)
    tapes = Tape(), Tape()
    for _ in range(25):
        for each, tape in zip((actor, other), tapes, strict=True):
            each.act(model, 1.0, tape)  # pyright: ignore
    for name in tapes[0].slots[0]:
        assert np.array_equal(tapes[0][name], tapes[1][name])
    assert actor.pop_returns() == other.pop_returns()


def test_a_diverged_seed_harms_no_other():
    env = treadmill()
    healthy, tapes = model_of(env, SEEDS), []
    theta = healthy.theta.clone()
    theta[0] = np.nan
    for model in (healthy, learned_model(healthy.nets, theta, healthy.row_seeds, may_diverge=True)):
        actor, tape = Actor(env, SEARCH, seeds=SEEDS, environments=E), Tape()
        for _ in range(9):
            actor.act(model, 1.0, tape)  # pyright: ignore
        tapes.append(tape)
    name: Any
    for name in tapes[0].slots[0]:
        assert np.array_equal(tapes[0][name][:, 1], tapes[1][name][:, 1])


@pytest.mark.parametrize("steps", [1.0, 4.0])
def test_an_environment_keeps_its_noise_for_so_many_steps(steps: float, monkeypatch: pytest.MonkeyPatch):
    given: list[np.ndarray] = []

    def searched(*args: Any, noise: np.ndarray, **others: Any) -> Searched:
        given.append(noise.copy())
        return search_policies(*args, noise=noise, **others)

    monkeypatch.setattr(acting, "search_policies", searched)
    config = dataclasses.replace(SEARCH, simulations=1, noise_steps=steps)
    env, E = treadmill(time_limit=3), 60
    actor, tape = Actor(env, config, seeds=SEEDS, environments=E), Tape()
    for _ in range(60):
        actor.act(model_of(env, SEEDS, E), 1.0, tape)  # pyright: ignore
    changed = (np.diff(given, axis=0) != 0).any(-1)  # [59, S x E], each with probability 1 / steps
    assert abs(changed.mean() - 1 / steps) <= 5 * np.sqrt(1 / steps * (1 - 1 / steps) / changed.size)
    first = np.concatenate([stream(seed, "noise").dirichlet(np.full(env.num_actions, 0.5), E) for seed in SEEDS])
    assert np.array_equal(given[0], first)


def test_noise_that_is_kept_goes_on_behind_a_resume_state():
    env, config = treadmill(time_limit=3), dataclasses.replace(SEARCH, noise_steps=50.0)
    tapes = Tape(), Tape()
    through = Actor(env, config, seeds=SEEDS, environments=E)
    for _ in range(5):
        through.act(model_of(env, SEEDS), 1.0, tapes[0])  # pyright: ignore
    arrays, meta = through.state_dict()
    resumed = Actor(env, config, seeds=SEEDS, environments=E)
    resumed.load_state_dict({name: np.array(a) for name, a in arrays.items()}, json.loads(json.dumps(meta)))
    tapes[1].slots = list(tapes[0].slots)
    for _ in range(5):
        through.act(model_of(env, SEEDS), 1.0, tapes[0])  # pyright: ignore
        resumed.act(model_of(env, SEEDS), 1.0, tapes[1])  # pyright: ignore
    assert np.array_equal(tapes[0]["policies"], tapes[1]["policies"])
    with pytest.raises(ValueError, match="noise"):
        resumed.load_state_dict({**arrays, "noise": arrays["noise"] + 1.0}, meta)
