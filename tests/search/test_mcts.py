"""Does the batched search find what a recursive search of one tree finds, for every row in any company?"""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from muzero_probe import threads
from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree
from muzero_probe.models import LearnedModel, Prediction, TrueModel
from muzero_probe.randomness import row_keys
from muzero_probe.search.leaves import RolloutLeaf, ValueLeaf, random_plans
from muzero_probe.search.mcts import SearchResult, partition, sample_actions, search, visit_policy
from tests.doubles import OnDevice, OneAtATime, TableModel, random_nets, random_theta
from tests.reference import search as reference

LEAVES = {"value": ValueLeaf(), "rollout": RolloutLeaf(horizon=6), "long rollout": RolloutLeaf(horizon=40)}


def oracle(model: Any, start: Any, config: SearchConfig, *, prior: str, leaf, noise, key) -> reference.Found:
    rolls = isinstance(leaf, RolloutLeaf)
    return reference.search(
        OneAtATime(model),
        start,
        simulations=config.simulations,
        discount=config.discount,
        c1=config.c1,
        c2=config.c2,
        uniform=prior == "uniform",
        noise=None if noise is None else list(noise),
        fraction=config.dirichlet_fraction,
        horizon=leaf.horizon if rolls else None,
        plan=lambda i, steps: random_plans(np.array([key]), i, steps, model.num_actions)[0].tolist(),
    )


def arguments(model: Any, B: int, *, noise: bool, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "noise": rng.dirichlet(np.full(model.num_actions, 0.3), B) if noise else None,
        "keys": row_keys(seed, "test", B),
    }


def assert_same(a: SearchResult, b: SearchResult) -> None:
    """Bit for bit, the trees and trajectories included."""
    assert np.array_equal(a.visits, b.visits) and np.array_equal(a.values, b.values)
    if a.record is None or b.record is None:
        assert a.record is b.record
        return
    # unused entries of a tree are initialised, so that whole arrays compare
    for x, y in zip((*a.record.tree, *a.record[1:]), (*b.record.tree, *b.record[1:]), strict=True):
        assert np.array_equal(x, y)


def rows_of(result: SearchResult, rows: Any) -> SearchResult:
    record = result.record
    if record is not None:
        kept = type(record.tree)(*(field[rows] for field in record.tree))
        record = type(record)(kept, record.trajectories[rows], record.path_lengths[rows])
    return SearchResult(result.visits[rows], result.values[rows], record)


@pytest.mark.parametrize("noise", [False, True], ids=("plain", "noise"))
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES.keys())
@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize(("actions", "simulations"), [(2, 1), (2, 60), (3, 2), (3, 25), (5, 40)])
def test_search_equals_one_recursive_tree(prior: Any, leaf: Any, noise: bool, actions: int, simulations: int):
    model = TableModel.random(np.random.default_rng(actions), states=60, actions=actions)
    # a small c2 makes the logarithm of the exploration factor count
    config = SearchConfig(simulations=simulations, discount=0.9, c1=1.1, c2=15.0, dirichlet_fraction=0.3)
    starts = np.arange(7)
    given = arguments(model, 7, noise=noise)
    result = search(model, starts, config, prior=prior, leaf=leaf, record=True, **given)
    for b in range(7):
        found = oracle(
            model, starts[b], config, prior=prior, leaf=leaf,
            noise=given["noise"][b] if noise else None, key=given["keys"][b],
        )  # fmt: skip
        assert result.visits[b].tolist() == found.visits
        assert result.values[b] == pytest.approx(found.value, abs=1e-10)
        assert_record_equals(result, b, found)


def assert_record_equals(result: SearchResult, b: int, found: reference.Found) -> None:
    assert result.record is not None
    built, trajectories, lengths = result.record
    for i, path in enumerate(found.paths):
        rollout = found.rollouts[i] if found.rollouts else []
        expected = [*path, *rollout]
        assert lengths[b, i] == len(path)
        assert trajectories[b, i].tolist() == [*expected, *[-1] * (trajectories.shape[2] - len(expected))]
    assert built.bounds[b].tolist() == pytest.approx([found.smallest, found.largest], abs=1e-10)

    def compare(node: reference.Node, at: int) -> None:
        np.testing.assert_allclose(built.priors[b, at], node.prior, atol=1e-6)  # logits are float32
        assert built.visits[b, at].tolist() == [len(returns) for returns in node.backed_up]
        assert built.counts[b, at] == built.visits[b, at].sum()
        np.testing.assert_allclose(built.totals[b, at], [sum(r) for r in node.backed_up], atol=1e-9)
        for action in range(len(node.prior)):
            child = node.children.get(action)
            if child is None:
                assert built.children[b, at, action] == -1
            else:
                assert built.rewards[b, built.children[b, at, action]] == child.reward
                compare(child, built.children[b, at, action])

    compare(found.root, 0)


@pytest.mark.parametrize("leaf", [LEAVES["value"], LEAVES["rollout"]], ids=("value", "rollout"))
def test_search_with_nets_equals_one_recursive_tree(leaf: Any):
    nets = random_nets()
    model = LearnedModel(nets, random_theta(nets, seeds=2), np.repeat([0, 1], 3))
    observations = np.random.default_rng(0).normal(size=(6, nets.observation)).astype(np.float32)
    config = SearchConfig(simulations=30, discount=0.97)
    given = arguments(model, 6, noise=True)
    result = search(model, observations, config, leaf=leaf, record=True, **given)
    for b in range(6):
        found = oracle(
            model.rows(slice(b, b + 1)), observations[b], config, prior="policy", leaf=leaf,
            noise=given["noise"][b], key=given["keys"][b],
        )  # fmt: skip
        assert result.visits[b].tolist() == found.visits
        assert result.values[b] == pytest.approx(found.value, abs=1e-10)


@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES)
def test_the_compiled_search_equals_the_general_one(leaf: Any, prior: Any, monkeypatch: pytest.MonkeyPatch):
    nets = random_nets(actions=3)
    observations = np.random.default_rng(0).normal(size=(40, nets.observation)).astype(np.float32)
    model = LearnedModel(nets, random_theta(nets, seeds=2), np.repeat([0, 1], [25, 15]))
    config = SearchConfig(simulations=12)
    given = {"leaf": leaf, "prior": prior, **arguments(model, 40, noise=True)}
    assert model.kernel_arguments is not None
    found = search(model, observations, config, **given)
    monkeypatch.setattr(LearnedModel, "kernel_arguments", None)
    assert_same(search(model, observations, config, **given), found)


def test_search_on_the_torch_path():
    nets = random_nets()
    theta, seeds = random_theta(nets, seeds=3), np.repeat([0, 1, 2], [1, 6, 3])
    observations = np.random.default_rng(0).normal(size=(10, nets.observation)).astype(np.float32)
    config = SearchConfig(simulations=12)
    for leaf in (LEAVES["value"], LEAVES["rollout"]):
        given = {"leaf": leaf, "keys": row_keys(0, "test", 10)}
        compiled = search(LearnedModel(nets, theta, seeds), observations, config, **given)
        by_torch = search(OnDevice(nets, theta, seeds), observations, config, **given)
        assert np.array_equal(compiled.visits, by_torch.visits)
        np.testing.assert_allclose(by_torch.values, compiled.values, rtol=1e-4)


def test_a_bandit_by_hand():
    """Priors 0.8, 0.2; rewards 1, 3; one step: worked out below with n the visits so far.

    While only action 0 was met, min = max = 1 and Q(0) = 1 is left as it is. Action 1 wins when
    0.2 c sqrt(n) > 1 + 0.8 c sqrt(n) / (1 + n), c = 1.25 + log((n + 19653) / 19652): at n = 22 it is
    1.1737 < 1.2041, at n = 23 1.20013 > 1.20002 (without the logarithm 1.19896 < 1.19983). From then on
    Q = 0, 1 on the normalised scale, and at n < 60 action 0's bonus 0.8 c sqrt(n) / 24 < 0.33 never makes
    up for that.
    """
    env = bandit((1.0, 3.0))
    logits = np.log(np.array([[0.8, 0.2], [0.5, 0.5]]))
    model = TableModel(env.transitions, env.rewards, np.zeros(2), logits)
    for simulations, visits in ((1, [1, 0]), (23, [23, 0]), (24, [23, 1]), (60, [23, 37])):
        config = SearchConfig(simulations=simulations, discount=0.9)
        found = search(model, np.zeros(1, int), config, leaf=RolloutLeaf(horizon=1), keys=row_keys(0, "t", 1))
        assert found.visits.tolist() == [visits]
        assert found.values[0] == pytest.approx((visits[0] + 3 * visits[1]) / simulations)


def test_noise_is_mixed_into_the_root_alone():
    model = TableModel.random(np.random.default_rng(0), states=30, actions=3)
    noise = np.random.default_rng(1).dirichlet(np.ones(3), 4)
    starts = np.arange(4)
    for fraction in (0.0, 0.25, 1.0):
        config = SearchConfig(simulations=9, dirichlet_fraction=fraction)
        plain = search(model, starts, config, record=True)
        noisy = search(model, starts, config, noise=noise, record=True)
        assert plain.record is not None and noisy.record is not None
        expected = (1 - fraction) * plain.record.tree.priors[:, 0] + fraction * noise
        np.testing.assert_allclose(noisy.record.tree.priors[:, 0], expected, atol=1e-12)
        leaf = noisy.record.tree.priors[:, 1]  # of the state behind the first action, whichever noise there is
        first = model.transitions[starts, noisy.record.trajectories[:, 0, 0]]
        np.testing.assert_allclose(leaf, [reference.softmax(list(row)) for row in model.logits[first]], atol=1e-6)


SEARCHES = [(prior, leaf, noise) for prior in ("policy", "uniform") for leaf in LEAVES for noise in (False, True)]


@pytest.mark.parametrize(("prior", "leaf", "noise"), SEARCHES[::2] + SEARCHES[1::4])
def test_a_row_is_searched_alike_in_any_company(prior: Any, leaf: str, noise: bool):
    nets = random_nets()
    B = 23
    rng = np.random.default_rng(2)
    observations = rng.normal(size=(B, nets.observation)).astype(np.float32)
    theta = random_theta(nets)
    given = arguments(TableModel.random(rng, states=2, actions=3), B, noise=noise)

    def run(rows: np.ndarray, observed: np.ndarray = observations) -> SearchResult:
        model = LearnedModel(nets, theta, np.zeros(len(rows), int))
        chosen = {name: None if x is None else x[rows] for name, x in given.items()}
        config = SearchConfig(simulations=17)
        return search(model, observed[rows], config, prior=prior, leaf=LEAVES[leaf], record=True, **chosen)

    everyone = np.arange(B)
    whole = run(everyone)
    assert_same(run(everyone), whole)
    order = rng.permutation(B)
    assert_same(run(order), rows_of(whole, order))
    for rows in (np.array([4]), np.array([22, 3]), np.arange(7), np.arange(5, 22)):
        assert_same(run(rows), rows_of(whole, rows))
    others = observations.copy()
    kept = everyone % 4 == 1
    others[~kept] = 100 * rng.normal(size=(int((~kept).sum()), nets.observation))
    assert_same(rows_of(run(everyone, others), kept), rows_of(whole, kept))


def test_the_number_of_threads_does_not_matter(restored_threads: None):
    nets = random_nets()
    B = 31
    observations = np.random.default_rng(0).normal(size=(B, nets.observation)).astype(np.float32)
    model = LearnedModel(nets, random_theta(nets, seeds=4), np.repeat(np.arange(4), [20, 1, 3, 7]))
    results = []
    for count in (1, 2, 3):
        threads.configure(count)
        given = arguments(model, B, noise=True)
        config = SearchConfig(simulations=15)
        results.append(search(model, observations, config, leaf=LEAVES["rollout"], record=True, **given))
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES.keys())
def test_a_record_is_consistent_with_the_visits(leaf: Any):
    model = TableModel.random(np.random.default_rng(3), states=60, actions=3)
    n, B = 33, 9
    config = SearchConfig(simulations=n)
    result = search(model, np.arange(B), config, leaf=leaf, keys=row_keys(0, "test", B), record=True)
    assert result.record is not None
    built, trajectories, lengths = result.record
    T = n if isinstance(leaf, ValueLeaf) else leaf.horizon
    assert trajectories.shape == (B, n, T)
    assert (result.visits.sum(1) == n).all() and (built.counts[:, 0] == n).all()
    first = trajectories[:, :, 0]
    assert np.array_equal((first[..., None] == np.arange(3)).sum(1), result.visits)
    assert (lengths >= 1).all() and lengths.max() > 1 and lengths.max() <= T
    used = (trajectories >= 0).sum(2)
    if isinstance(leaf, ValueLeaf):
        assert np.array_equal(used, lengths)
    else:
        assert (used == T).all()
    for b in range(B):
        met = {()}
        for i in range(n):
            path = tuple(trajectories[b, i, : lengths[b, i]].tolist())
            assert path[:-1] in met
            assert path not in met or lengths[b, i] == T  # a new node, unless cut at the horizon
            met.add(path)


def test_a_short_search_is_the_beginning_of_a_longer_one():
    model = TableModel.random(np.random.default_rng(3), states=60, actions=3)
    found = {}
    for n in (8, 30):
        keys = row_keys(0, "test", 6)
        config = SearchConfig(simulations=n)
        record = search(model, np.arange(6), config, leaf=LEAVES["rollout"], keys=keys, record=True).record
        assert record is not None
        found[n] = record
    assert np.array_equal(found[8].trajectories, found[30].trajectories[:, :8])
    assert np.array_equal(found[8].path_lengths, found[30].path_lengths[:, :8])


class Learned(TrueModel):
    """The true dynamics as a model that was learned perfectly: it sees observations and has latents of its own."""

    def __init__(self, env: Environment) -> None:
        super().__init__(env)

    def rows(self, selection: Any) -> "Learned":
        return Learned(self.env)

    def root(self, inputs: np.ndarray) -> Prediction:
        # observations are one-hot; a latent is the negative of the state
        found = super().root(inputs.argmax(-1))
        return found._replace(states=-found.states)

    def step(self, states: np.ndarray, actions: np.ndarray) -> Prediction:
        found = super().step(-states, actions)
        return found._replace(states=-found.states)

    def rollout(self, states: np.ndarray, plans: np.ndarray) -> np.ndarray:
        return super().rollout(-states, plans)


@pytest.mark.parametrize("env", [chain(3), tree(3, 2), tree(2, 3), bandit()], ids=lambda env: env.name)
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES.keys())
def test_the_true_dynamics_as_learned_model_give_the_same_tree(env: TabularEnvironment, leaf: Any):
    B = 11
    states = np.random.default_rng(0).choice(np.flatnonzero(~env.terminal), B)
    config = SearchConfig(simulations=40, discount=0.9)
    given = {"leaf": leaf, "keys": row_keys(0, "test", B), "record": True}
    assert_same(
        search(Learned(env), env.observe(states), config, **given), search(TrueModel(env), states, config, **given)
    )


@pytest.mark.parametrize("depth", [2, 3])
def test_search_finds_the_best_plan_of_the_planted_tree(depth: int):
    """Every inner step deceives, so only who looks to the end prefers the right first action."""
    env = tree(depth)
    found = search(
        TrueModel(env), np.zeros(4, int), SearchConfig(simulations=400, discount=1.0),
        prior="uniform", leaf=RolloutLeaf(horizon=depth), keys=row_keys(0, "test", 4),
    )  # fmt: skip
    best = np.argmax([env.rollout(np.zeros(2**depth, int), plans_of(depth))[0].sum(1).reshape(2, -1).max(1)])
    assert (found.visits.argmax(1) == best).all()
    assert (found.visits.max(1) > 200).all()


def plans_of(depth: int) -> np.ndarray:
    return np.array([[(i >> (depth - 1 - k)) & 1 for k in range(depth)] for i in range(2**depth)])


def test_terminal_states_are_absorbing_in_a_true_model_s_tree():
    env = chain(2)
    nets = random_nets(observation=3, actions=2)
    predictor = LearnedModel(nets, random_theta(nets), np.zeros(1, int))
    config = SearchConfig(simulations=50, discount=1.0, c1=50.0)  # tries every action again and again
    result = search(TrueModel(env, predictor), np.array([1]), config, record=True)
    assert result.record is not None
    built = result.record.tree
    end = built.children[0, 0, 1]  # the step to the right pays 1 and ends the episode
    assert built.rewards[0, end] == 1
    assert built.visits[0, 0, 1] > 5 and built.visits[0, end].sum() > 5
    assert built.totals[0, 0, 1] == built.visits[0, 0, 1]  # each return is exactly 1: nothing comes after
    assert not built.totals[0, end].any()


def test_partition_covers_the_rows_by_their_number_alone():
    for rows in [*range(1, 40), 192, 193, 384, 385, 5000]:
        parts = partition(rows)
        sizes = [part.stop - part.start for part in parts]
        assert [part.start for part in parts] == [0, *np.cumsum(sizes)[:-1]]
        assert sum(sizes) == rows and max(sizes) <= 192 and max(sizes) - min(sizes) <= 1
        assert min(sizes) >= (2 if rows > 1 else 1)
        assert len(parts) % 2 == 0 or rows < 4
    assert len(partition(100, part_rows=10)) == 10


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch):
    nets = random_nets()
    observations = np.random.default_rng(0).normal(size=(40, nets.observation)).astype(np.float32)
    model = LearnedModel(nets, random_theta(nets, seeds=2), np.repeat([0, 1], [25, 15]))
    config = SearchConfig(simulations=10)
    given = {"leaf": LEAVES["rollout"], "record": True, **arguments(model, 40, noise=True)}
    whole = search(model, observations, config, **given)
    from muzero_probe.search import mcts

    monkeypatch.setattr(mcts, "partition", lambda rows: [slice(0, 1), slice(1, 18), slice(18, rows)])
    assert_same(search(model, observations, config, **given), whole)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.25])
def test_visit_policy_equals_formula(temperature: float):
    visits = np.array([[3, 1, 0], [10, 25, 15], [0, 0, 7], [1, 1, 1]])
    powers = [[int(n) ** int(1 / temperature) for n in row] for row in visits]
    expected = [[p / sum(row) for p in row] for row in powers]
    found = visit_policy(visits, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found[visits == 0] == 0).all()
    np.testing.assert_allclose(visit_policy(visits[0], temperature), expected[0], rtol=1e-12)


def test_visit_policy_of_huge_counts_and_low_temperatures():
    visits = np.array([[10**9, 10**9 // 2, 0], [5, 4, 3]])
    found = visit_policy(visits, 0.25)
    np.testing.assert_allclose(found[0], [16 / 17, 1 / 17, 0], rtol=1e-9)
    np.testing.assert_allclose(visit_policy(visits, 1e-3), [[1, 0, 0], [1, 0, 0]], atol=1e-9)
    assert np.isfinite(visit_policy(visits.astype(np.int32), 1e-3)).all()
    np.testing.assert_allclose(visit_policy(visits.astype(np.int32), 1.0).sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_visit_policy_refuses_impossible_temperatures(temperature: float):
    with pytest.raises(ValueError, match="it must be positive"):
        visit_policy(np.array([1, 2]), temperature)


def test_actions_are_sampled_as_often_as_the_policy_says():
    policy = np.array([0.5, 0.0, 0.3, 0.2])
    draws = np.random.default_rng(0).random(40_000)
    actions = sample_actions(np.tile(policy, (len(draws), 1)), draws)
    counts = np.bincount(actions, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[policy > 0], len(draws) * policy[policy > 0]).pvalue > 1e-3


@pytest.mark.parametrize("policy", [[0.0, 1.0, 0.0], [0.0, 0.4, 0.6], [0.7, 0.3, 0.0], [0.1] * 10 + [0.0]])
def test_impossible_actions_are_never_sampled(policy: list[float]):
    draws = np.array([0.0, 1e-300, 0.5, 1 - 2**-53])
    actions = sample_actions(np.tile(policy, (4, 1)), draws)
    assert (np.array(policy)[actions] > 0).all()


def test_wrong_arguments_are_refused():
    model = TableModel.random(np.random.default_rng(0), states=5, actions=2)
    starts, config = np.arange(3), SearchConfig(simulations=2)
    with pytest.raises(ValueError, match=r"noise has shape \(3, 3\), \(3, 2\) is needed"):
        search(model, starts, config, noise=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="random rollouts need keys"):
        search(model, starts, config, leaf=RolloutLeaf(horizon=3))
    with pytest.raises(ValueError, match=r"keys have shape \(2,\)"):
        search(model, starts, config, keys=row_keys(0, "test", 2))
    with pytest.raises(ValueError, match="type int64"):
        search(model, starts, config, keys=np.arange(3))
    with pytest.raises(ValueError, match="prior 'greedy' is unknown"):
        search(model, starts, config, prior="greedy")  # pyright: ignore
