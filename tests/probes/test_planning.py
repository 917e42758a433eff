"""Do planners search with the model and the prior that they are told to, and find what can be found?"""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, bandit, tree
from muzero_probe.models import Model, TrueModel
from muzero_probe.probes.episodes import Episodes
from muzero_probe.probes.planning import play_planner, play_prior
from muzero_probe.randomness import advance, random_plans, row_keys, uniforms
from tests.doubles import Observing, OneAtATime, random_nets, random_theta
from tests.reference import search as reference

PLANNERS = list(itertools.product(("learned", "true"), ("policy", "uniform")))


class RealStates:
    """The environment as the `Planner` of the reference search; priors come from a net that sees the real state."""

    def __init__(self, env: Environment, net: OneAtATime) -> None:
        self.env = env
        self.net = net

    def root(self, start: Any) -> tuple[Any, float, list[float]]:
        return start, 0.0, self.net.root(self.env.observe(start[None])[0])[2]

    def step(self, state: Any, action: int) -> tuple[Any, float, float, list[float]]:
        found = self.env.step(state[None], np.array([action]))
        return found.states[0], float(found.rewards[0]), 0.0, self.net.root(found.observations[0])[2]


def one_episode(
    env: Environment, net: OneAtATime, start: int, key: np.uint64, *, model: str, prior: str, horizon: int, config: Any
) -> tuple[float, int]:
    """Undiscounted return and length, with one recursive search a step."""
    states, observations = env.reset(np.array([start]))
    total, steps = 0.0, 0
    while True:
        now = advance(np.array([key]), steps)
        visits = reference.search(
            net if model == "learned" else RealStates(env, net),
            observations[0] if model == "learned" else states[0],
            simulations=config.simulations,
            discount=config.discount,
            c1=config.c1,
            c2=config.c2,
            uniform=prior == "uniform",
            horizon=horizon,
            plan=lambda n, length, now=now: random_plans(now, n, length, env.num_actions)[0].tolist(),
            key=int(now[0]),
        ).visits
        best = [action for action, n in enumerate(visits) if n == max(visits)]
        action = best[int(uniforms(now)[0] * len(best))]
        states, observations, rewards, terminated = env.step(states, np.array([action]))
        total, steps = total + float(rewards[0]), steps + 1
        if terminated[0] or steps == env.time_limit:
            return total, steps


def wandering() -> TabularEnvironment:
    """Rewards that tell most ways through it apart; the end can be reached from one state only."""
    rng = np.random.default_rng(5)
    transitions = rng.integers(0, 8, (9, 3))
    transitions[3, 1] = 8
    rewards = rng.integers(-80, 80, (9, 3)) / 16
    return TabularEnvironment(transitions, rewards, np.arange(9) == 8, name="wandering", time_limit=7)


def model_of(name: str, prior: str, env: Environment, agents: Model) -> Model:
    """What a planner of that name plans with."""
    if name == "learned":
        return agents
    return TrueModel(env, agents if prior == "policy" else None)


def setting(environment: str, *, rows: int) -> tuple[Environment, Model]:
    env = CartPole() if environment == "cartpole" else wandering()
    env.time_limit = 7 if environment == "wandering" else 30
    nets = random_nets(observation=env.observation_shape[0], actions=env.num_actions)
    return env, learned_model(nets, random_theta(nets, seeds=2, spread=3.0), np.repeat([0, 1], rows // 2))


@pytest.mark.parametrize(("model", "prior"), PLANNERS)
@pytest.mark.parametrize("environment", ["wandering", "cartpole"])
def test_planners_play_as_recursive_searches_do(environment: str, model: Any, prior: Any):
    env, agents = setting(environment, rows=6)
    starts, keys = np.arange(6), row_keys(0, "test", 6)
    config = SearchConfig(simulations=5, discount=0.9)
    found = play_planner(env, model_of(model, prior, env, agents), starts, config, prior=prior, horizon=4, keys=keys)
    for b in range(6):
        net = OneAtATime(agents.rows(np.array([b])))
        wanted = one_episode(env, net, starts[b], keys[b], model=model, prior=prior, horizon=4, config=config)
        assert (found.returns[b], found.lengths[b]) == wanted
    assert len(set(found.returns)) > 1


def test_free_search_in_the_truth_owes_nothing_to_agents():
    env, agents = setting("wandering", rows=6)
    starts, keys = np.arange(6), row_keys(0, "test", 6)
    config = SearchConfig(simulations=5, discount=0.9)
    alone, given = (
        play_planner(env, model, starts, config, prior="uniform", horizon=4, keys=keys).returns.tolist()
        for model in (TrueModel(env), TrueModel(env, agents))
    )
    assert alone == given


def test_planners_differ():
    env, agents = setting("wandering", rows=40)
    keys = row_keys(0, "test", 40)
    config = SearchConfig(simulations=8, discount=0.9)
    returns = [
        play_planner(env, model_of(m, p, env, agents), np.zeros(40, int), config, prior=p, horizon=4, keys=keys).returns
        for m, p in PLANNERS
    ]
    assert len({tuple(each) for each in returns}) == 4


def planned(env: TabularEnvironment, *, horizon: int, simulations: int, rows: int = 50) -> Episodes:
    config = SearchConfig(simulations=simulations, discount=1.0)
    keys = row_keys(0, "test", rows)
    return play_planner(env, TrueModel(env), np.zeros(rows, int), config, prior="uniform", horizon=horizon, keys=keys)


def test_free_search_of_the_truth_finds_the_best_plan_of_a_tree():
    """The best plan pays 0, 0, 7. Who sees one step takes 4, 2 and then the better end, -5: together 1."""
    env = tree()
    assert planned(env, horizon=3, simulations=300).returns.tolist() == [7.0] * 50
    assert planned(env, horizon=1, simulations=300).returns.tolist() == [1.0] * 50
    assert planned(env, horizon=3, simulations=1).returns.mean() < 5


def test_the_horizon_counts_from_the_root():
    """A step pays 1, or nothing now and 8 with the third one: 1 + 1 + 1 against 0 + 0 + 8, seen from three on."""
    env = TabularEnvironment(
        [[1, 2], [3, 3], [4, 4], [5, 5], [5, 5], [5, 5]],
        [[1, 0], [1, 1], [0, 0], [1, 1], [8, 8], [0, 0]],
        np.arange(6) == 5,
        name="patience",
    )
    for horizon, best in ((1, 3), (2, 3), (3, 8), (9, 8)):
        assert planned(env, horizon=horizon, simulations=60).returns.tolist() == [best] * 50


@pytest.mark.parametrize("prior", ["policy", "uniform"])
def test_a_learned_model_that_is_true_plays_as_the_truth(prior: Any):
    env = wandering()
    agents = Observing(env.transitions, env.rewards)
    config = SearchConfig(simulations=20, discount=0.9)
    learned, true = (
        play_planner(env, model, np.zeros(30, int), config, prior=prior, horizon=5, keys=row_keys(0, "test", 30))
        for model in (agents, TrueModel(env, agents))
    )
    assert np.array_equal(learned.returns, true.returns)
    assert np.array_equal(learned.lengths, true.lengths)
    assert len(set(true.returns)) > 1


def test_equally_visited_actions_are_taken_equally_often():
    """Two simulations of three arms that pay 0, 1/8 and 1/4, of which the first is any.

    The last arm is worth a second one at once, as 0.25 + 1.25 / 6 > 1.25 / 3; behind another follows one that is new,
    and of the two visited once any is taken: 1/3 + 2 x 1/3 x 1/2 x 1/2 = 1/2 for the last arm, 1/4 for the others.
    """
    found = planned(bandit((0.0, 0.125, 0.25)), horizon=1, simulations=2, rows=2000)
    paid, counts = np.unique(found.returns, return_counts=True)
    assert paid.tolist() == [0.0, 0.125, 0.25]
    assert stats.chisquare(counts, [500, 500, 1000]).pvalue > 1e-3


def test_every_episode_has_its_own_chance():
    """All start in the same state; what a row plays depends on its key alone."""
    env, agents = setting("wandering", rows=10)
    keys, config = row_keys(0, "test", 10), SearchConfig(simulations=20, discount=0.9)
    arguments: dict[str, Any] = {"prior": "uniform", "horizon": 4}
    model = TrueModel(env, agents)
    whole = play_planner(env, model, np.zeros(10, int), config, keys=keys, **arguments)
    kept = np.array([1, 4, 8])
    part = play_planner(env, model.rows(kept), np.zeros(3, int), config, keys=keys[kept], **arguments)
    assert np.array_equal(part.returns, whole.returns[kept])
    assert len(set(whole.returns)) > 3


# The prior alone


def test_the_prior_s_actions_are_drawn_from_it():
    env = bandit()
    nets = random_nets(observation=2, actions=3)
    agents = learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], 2000))
    found = play_prior(env, agents, np.zeros(4000, int), row_keys(0, "test", 4000))
    for agent in (0, 1):
        logits = OneAtATime(agents.rows(np.array([2000 * agent]))).root(np.array([1, 0], np.float32))[2]
        policy = np.array(reference.softmax(logits))
        assert np.ptp(policy) > 0.05
        paid = found.returns[2000 * agent : 2000 * (agent + 1)]
        counts = [int((paid == reward).sum()) for reward in (1.0, 0.0, 2.0)]
        assert sum(counts) == 2000
        assert stats.chisquare(counts, 2000 * policy / policy.sum()).pvalue > 1e-3


def test_the_prior_draws_anew_at_every_step():
    """Action 0 pays 1, 2, 4, 8, action 1 nothing: returns spell the actions, all equally likely with a flat prior."""
    state = np.arange(5)
    transitions = np.repeat(np.minimum(state + 1, 4), 2).reshape(5, 2)
    env = TabularEnvironment(transitions, np.stack([2.0**state, 0 * state], 1), state == 4, name="bits")
    agents = Observing(transitions, np.zeros((5, 2)), np.zeros((5, 2)))
    found = play_prior(env, agents, np.zeros(3200, int), row_keys(0, "test", 3200))
    assert found.lengths.tolist() == [4] * 3200
    assert stats.chisquare(np.bincount(found.returns.astype(int), minlength=16)).pvalue > 1e-3
