"""Are the numbers of tables what the study defines, by a plain reference?"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses import own_policy
from analyses.harness import banks
from analyses.harness.agents import Agents
from analyses.harness.checkpoints import Checkpoints
from analyses.harness.study import Work
from muzero_probe.models import TrueModel
from muzero_probe.probes.episodes import play, reset_seeds
from muzero_probe.probes.planning import play_planner, play_prior
from muzero_probe.probes.prior_effect import prior_effect
from muzero_probe.probes.search_tree import SearchTrees, most_divided, real_values, search_trees
from muzero_probe.probes.value_error import PolicyError
from muzero_probe.randomness import row_keys
from tests.analyses.studies import SEEDS, K, changed, run, table
from tests.doubles import OneAtATime, OneLatent, OneState
from tests.reference import search as reference_search
from tests.reference import value_error as reference

RULES: tuple[Any, ...] = ("muzero", "efficientzero")


def policy_at(agents: Agents, index: int) -> Callable[[Any], list[float]]:
    """Eq 2 of one agent, a recursive search for every state."""
    planner = OneAtATime(agents.model(np.array([index])))
    temperature = {0: 1.0, 20: 1.0, 60: 0.25}[agents.step]

    @functools.cache
    def policy(state: bytes) -> list[float]:
        observation = agents.env.observe(np.frombuffer(state)[None])[0]
        visits = reference_search.search(planner, observation, simulations=8, discount=0.997, c1=1.25, c2=19652).visits
        powers = [n ** (1 / temperature) for n in visits]
        return [power / sum(powers) for power in powers]

    return lambda state: policy(state.tobytes())


def bank_of(
    tiny: Checkpoints, done: Path, settings: Any, *, seed: int, step: int, states: int
) -> tuple[np.ndarray, np.ndarray]:
    """The states at which a seed was measured."""
    kept = Work(tiny, done / "units", "cpu").bank(settings.bank, (seed,), step).path
    return banks.read(kept, tiny.agents((seed,), step, "cpu"), states)


def enumerated(
    tiny: Checkpoints, done: Path, settings: Any, *, seed: int, step: int, states: int, length: int,
    policy_step: int | None = None,
) -> list[list[reference.Unrolled]]:  # fmt: skip
    """All sequences of the first states of a seed's bank."""
    agents = tiny.agents((seed,), step, "cpu")
    bank, _ = bank_of(tiny, done, settings, seed=seed, step=step, states=states)
    assert len(bank) == states
    guess = OneLatent(agents.model(np.zeros(1, int)), 0)
    policy = policy_at(tiny.agents((seed,), step if policy_step is None else policy_step, "cpu"), 0)
    return [
        reference.enumerate_all(
            OneState(agents.env), guess, state, guess.root(agents.env.observe(state[None])[0]), policy,
            length=length, discount=0.997,
        )
        for state in bank
    ]  # fmt: skip


def test_readers_see_the_agent_s_own_rule(done: Path):
    """Of what was measured with several; what does not search belongs to every rule."""
    for name, kept in (("prior_effect", {"muzero"}), ("planning", {"muzero", "no search"})):
        assert set(table(done, name)["rule"]) == kept
        assert set(table(done, name, every_rule=True)["rule"]) == kept | {"efficientzero"}


def one_row(found: Any, **setting: Any) -> Any:
    for column, value in setting.items():
        found = found[found[column] == value]
    (row,) = found.to_dict("records")
    return pd.Series(row)


@pytest.mark.parametrize(("seed", "step"), [(0, 0), (2, 60)])
def test_own_policy_is_the_mean_over_states_of_eq_7(done: Path, tiny: Checkpoints, settings: Any, seed: int, step: int):
    for h in (1, 2, K):
        all_ = enumerated(tiny, done, settings, seed=seed, step=step, states=3, length=h)
        errors = [reference.policy_error(sequences, alive_reward=1.0) for sequences in all_]
        row = one_row(table(done, "own_policy"), seed=seed, step=step, horizon=h)
        assert (row.states, row.monte_carlo_se) == (3, 0)
        for column in ("error", "bias", "over"):
            assert row[column] == pytest.approx(np.mean([error[column] for error in errors]), rel=2e-5, abs=1e-5), (
                column
            )
        over = np.mean([error["over"] for error in errors])
        assert row.invented == pytest.approx(
            np.mean([error["invented"] for error in errors]) / (1 - over), rel=2e-5, abs=1e-5
        )


@pytest.mark.parametrize(("step", "policy_step"), [(20, 60), (60, 20), (0, 0)])
def test_cross_checkpoint_takes_model_and_states_of_the_row_and_policy_of_the_column(
    done: Path, tiny: Checkpoints, settings: Any, step: int, policy_step: int
):
    for seed in (0, 1):
        all_ = enumerated(tiny, done, settings, seed=seed, step=step, policy_step=policy_step, states=2, length=K)
        errors = [reference.policy_error(sequences, alive_reward=1.0) for sequences in all_]
        row = one_row(table(done, "cross_checkpoint"), seed=seed, step=step, policy_step=policy_step)
        assert row.horizon == K
        for column in ("error", "bias", "over"):
            assert row[column] == pytest.approx(np.mean([error[column] for error in errors]), rel=2e-5, abs=1e-5), (
                column
            )


def test_sequences_are_means_over_states_per_rank(done: Path, tiny: Checkpoints, settings: Any):
    for seed, step in ((0, 20), (2, 60)):
        all_ = enumerated(tiny, done, settings, seed=seed, step=step, states=2, length=3)
        found = table(done, "sequences")
        found = found[(found.seed == seed) & (found.step == step)]
        ranked = [sorted(sequences, key=lambda s: -s.probability) for sequences in all_]
        wanted = [np.mean([one[i].probability for one in ranked]) for i in range(8)]
        assert found.probability.tolist() == pytest.approx(wanted, rel=2e-5, abs=1e-5)
        assert found.probability.sum() == pytest.approx(1, abs=1e-5)
        # errors of equally likely sequences may stand in any order
        assert found.error.sum() == pytest.approx(sum(s.error for one in all_ for s in one) / 2, rel=2e-5, abs=1e-5)
        likeliest = [[s.error for s in one if s.probability > one[0].probability - 1e-12] for one in ranked]
        if all(len(errors) == 1 for errors in likeliest):
            assert found.error.iloc[0] == pytest.approx(np.mean(likeliest), rel=2e-5, abs=1e-5)


def test_prior_effect_is_measured_at_the_bank_s_states(done: Path, tiny: Checkpoints, settings: Any):
    for seed in SEEDS:
        agents = tiny.agents((seed,), 20, "cpu")
        states, row_seeds = bank_of(tiny, done, settings, seed=seed, step=20, states=2)
        every = table(done, "prior_effect", every_rule=True)
        for rule, prior, budget in itertools.product(RULES, ("policy", "uniform"), (2, 4)):
            effect = prior_effect(
                agents.env, agents.model(row_seeds), states,
                dataclasses.replace(tiny.config.search, simulations=budget, rule=rule), prior=prior, horizon=5,
                budgets=[budget], keys=row_keys(seed, "prior effect", 2, 20),
            )  # fmt: skip
            row = one_row(every, seed=seed, rule=rule, prior=prior, simulations=budget)
            for column, values in effect._asdict().items():
                assert row[column] == pytest.approx(values.mean(), rel=2e-5, abs=1e-5), column


@pytest.mark.parametrize("candidates", [1, 4])
def test_search_tree_is_of_the_bank_s_most_divided_state(
    done: Path, tiny: Checkpoints, settings: Any, tmp_path: Path, candidates: int
):
    """Of its first states, as many as are candidates; every node's row is what the probe says of it."""
    own = changed(settings, "search_tree", seeds=2, states=1, candidates=candidates)
    run("search_tree", tiny, own, tmp_path)
    found = table(tmp_path, "search_tree")
    assert sorted(set(found["seed"])) == [0, 1]
    for seed, rows in found.groupby("seed"):
        agents = tiny.agents((int(str(seed)),), 60, "cpu")
        states, row_seeds = bank_of(tiny, done, settings, seed=int(str(seed)), step=60, states=candidates)
        model = agents.model(row_seeds)
        trees = search_trees(agents.env, model, states, agents.search)
        (chosen,) = kept = most_divided(trees, 1)
        assert set(rows["state"]) == {chosen} and rows["node"].tolist() == list(range(9))
        tree = SearchTrees(*(array[kept] for array in trees))
        values = real_values(agents.env, model.rows(kept), states[kept], tree, agents.search, horizon=12)
        for column, wanted in {**tree._asdict(), "value_real": values}.items():
            np.testing.assert_allclose(rows[column], wanted[0], rtol=2e-5, atol=1e-5, err_msg=column)


def test_returns_are_means_over_episodes(done: Path, tiny: Checkpoints):
    """Undiscounted, of the search policy and of the prior alone, from the same starts."""
    for seed, step in ((0, 20), (1, 60)):
        agents = tiny.agents((seed,), step, "cpu")
        starts, keys, row_seeds = agents.episodes("returns", 2, agents.step)
        played = {
            "search": play(agents.env, starts, agents.actor(row_seeds, keys)),
            "prior": play_prior(agents.env, agents.model(row_seeds), starts, keys),
        }
        for policy, episodes in played.items():
            row = one_row(table(done, "returns"), seed=seed, step=step, policy=policy)
            assert row.return_mean == pytest.approx(episodes.returns.mean(), rel=1e-5)
            assert row.length_mean == row.return_mean and row.episodes == 2
    found = table(done, "returns")
    assert found.groupby("policy").return_mean.sum().nunique() == 2


def test_planning_is_played_by_the_planner_that_the_row_names(done: Path, tiny: Checkpoints):
    found = table(done, "planning", every_rule=True)
    agents = tiny.agents((1,), 60, "cpu")
    starts, keys = reset_seeds(1, "planning starts", 2), row_keys(1, "planning keys", 2)
    model = agents.model(np.zeros(2, int))
    models = {"learned": model, "real": TrueModel(agents.env, model)}
    planners = itertools.product(("learned", "real"), RULES, ("policy", "uniform"), (3, 9))
    for plans_with, rule, prior, budget in planners:
        config = dataclasses.replace(tiny.config.search, simulations=budget, rule=rule)
        episodes = play_planner(agents.env, models[plans_with], starts, config, prior=prior, horizon=8, keys=keys)
        row = one_row(found, seed=1, step=60, model=plans_with, rule=rule, prior=prior, simulations=budget)
        assert (row.return_mean, row.episodes) == (pytest.approx(episodes.returns.mean(), rel=1e-5), 2)
    row = one_row(found, seed=1, step=60, model="no search")
    assert row.return_mean == pytest.approx(play_prior(agents.env, model, starts, keys).returns.mean(), rel=1e-5)


def test_free_search_in_the_real_model_is_the_same_at_every_checkpoint(done: Path):
    """The agent has no part in it; of the other planners, its checkpoint tells."""
    found = table(done, "planning").set_index(["seed", "model", "prior", "simulations"])
    early, late = (found[found.step == step].return_mean for step in (0, 60))
    assert early.loc[:, "real", "uniform"].equals(late.loc[:, "real", "uniform"])
    assert not early.loc[:, "learned", "policy"].equals(late.loc[:, "learned", "policy"])


def test_means_over_states_by_hand():
    """Two of three states are the seed's. Shares are of the episodes that are over, and of those that are not."""
    errors = PolicyError(
        error=np.array([[0, 0.5], [0, 9], [0, 1.5]]),
        bias=np.array([[0, -0.5], [0, 9], [0, 1.5]]),
        standard_error=np.array([[0, 0.3], [0, 9], [0, 0.4]]),
        over=np.array([[0, 0.25], [0, 9], [0, 0.75]]),
        foreseen=np.array([[0, 0.125], [0, 9], [0, 0.25]]),
        invented=np.array([[0.5, 0.25], [0, 9], [0, 0.0]]),
    )
    mine = np.array([True, False, True])
    assert own_policy.means(errors, mine, 2) == {
        "error": 1.0,
        "bias": 0.5,
        "monte_carlo_se": 0.25,  # sqrt(0.09 + 0.16) / 2
        "states": 2,
        "over": 0.5,
        "foreseen": 0.375,  # (0.125 + 0.25) / 2 of 0.5
        "invented": 0.25,
    }
    first = own_policy.means(errors, mine, 1)
    assert np.isnan(first["foreseen"]) and first["invented"] == 0.25
    over = PolicyError(*(np.ones((3, 1)) for _ in PolicyError._fields))
    last = own_policy.means(over, mine, 1)
    assert last["foreseen"] == 1 and np.isnan(last["invented"])


@pytest.mark.parametrize("name", ["own_policy", "cross_checkpoint"])
def test_sampled_errors_are_near_the_exact_ones(
    done: Path, tiny: Checkpoints, settings: Any, tmp_path: Path, name: str
):
    """And differ from them; by less than five of the standard errors that stand beside them."""
    changed = dataclasses.replace(getattr(settings, name), samples=20_000)
    run(name, tiny, dataclasses.replace(settings, **{name: changed}), tmp_path)
    sampled, exact = table(tmp_path, name), table(done, name)
    assert (sampled.monte_carlo_se > 0).mean() > 0.5
    distance = np.abs(sampled.bias - exact.bias)
    assert (distance <= 5 * sampled.monte_carlo_se + 2e-5).all() and distance.max() > 1e-4
