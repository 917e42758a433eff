"""Is a seed the same agent in any population, and a resumed run the same as one without a break?"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from muzero_probe import agents, threads
from muzero_probe.config import Config, ImageNetsConfig, NetsConfig, ResidualNetsConfig, SearchConfig
from muzero_probe.cpu import updates
from muzero_probe.engine import learned_model
from muzero_probe.envs import Environment
from muzero_probe.envs.breakout import Breakout
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.minatar import MinAtarBreakout as MinAtar
from muzero_probe.envs.planted import bandit, chain
from muzero_probe.nets.layers import initial_vector
from muzero_probe.randomness import stream
from muzero_probe.training.trainer import Metrics, Reached, Sick, Trainer
from tests.doubles import random_nets, tiny_training, treadmill

SEEDS = [0, 3, 11]


class Task(NamedTuple):
    make: Callable[[], Environment]
    nets: Any = NetsConfig(latent=16, hidden=16)


# both kinds of end, terminations only, time limits only; states that are objects; each kind of nets
TASKS = {
    "cartpole": Task(CartPole),
    "chain": Task(chain),
    "treadmill": Task(treadmill),
    "lunar lander": Task(partial(agents.load("lunar_lander").make, {})),
    "minatar": Task(MinAtar, ImageNetsConfig(latent=16, hidden=16)),
    "breakout": Task(
        partial(Breakout, side=48, time_limit=40),
        ResidualNetsConfig(channels=16, head_planes=8, value_low=-5, value_high=5),
    ),
}
of_every_task = pytest.mark.parametrize("task", TASKS)


def started(task: str = "cartpole", seeds: list[int] = SEEDS, **changes: Any) -> Trainer:
    make, nets = TASKS[task]
    search = SearchConfig(simulations=4, discount=0.97)
    return Trainer(Config(nets=nets, search=search, training=tiny_training(**changes)), make(), seeds)


def finished(
    task: str = "cartpole", seeds: list[int] = SEEDS, **changes: Any
) -> tuple[Trainer, list[Reached | Metrics | Sick]]:
    trainer = started(task, seeds, **changes)
    return trainer, list(trainer.run(metrics_every=10))


def arrays(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in trainer.state_dict()[0].items()}


def assert_equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert np.array_equal(a[name], b[name], equal_nan=True), name


@of_every_task
def test_a_seed_is_the_same_agent_alone_and_in_a_population(task: str):
    """Bit for bit, searches and updates included."""
    together, _ = finished(task)
    alone, _ = finished(task, [3])
    E = alone.config.training.environments
    for name, array in arrays(alone).items():
        if name == "actor.states":  # bytes of all seeds
            states = together.env.from_bytes(arrays(together)[name].tobytes())
            assert together.env.to_bytes(states[E : 2 * E]) == array.tobytes()
        elif name.startswith("actor."):
            assert np.array_equal(array, arrays(together)[name][E : 2 * E]), name
        elif array.ndim == 0:
            assert array == arrays(together)[name]
        else:
            assert np.array_equal(array[0], arrays(together)[name][1]), name
    mine, all_ = alone.state_dict()[1], together.state_dict()[1]
    assert mine["replay_streams"][0] == all_["replay_streams"][1]
    for name, states in mine["actor"]["streams"].items():
        assert states[0] == all_["actor"]["streams"][name][1]


def test_initial_weights_are_the_seed_s_own():
    trainer = started()
    for index, seed in enumerate(SEEDS):
        vector = initial_vector(trainer.nets.layout, stream(seed, "weights"))
        assert np.array_equal(trainer.learner.theta[index], vector)
        for name, array in trainer.arrays(index).items():
            assert np.array_equal(array, trainer.nets.layout.arrays(vector)[name])


@of_every_task
def test_two_runs_are_equal(task: str):
    a, told_a = finished(task)
    b, told_b = finished(task)
    assert_equal(arrays(a), arrays(b))
    for x, y in zip(told_a, told_b, strict=True):
        assert type(x) is type(y) and x.step == y.step
        if isinstance(x, Metrics) and isinstance(y, Metrics):
            assert_equal(x.values, y.values)


def test_the_number_of_threads_does_not_matter(restored_threads: None):
    results = []
    for count in (1, 2):
        threads.configure(count)
        results.append(arrays(finished()[0]))
    assert_equal(*results)


def test_seeds_differ():
    trainer, _ = finished()
    theta = trainer.learner.theta
    assert (theta[0] != theta[1]).float().mean() > 0.99


@of_every_task
@pytest.mark.parametrize("pause", [1, 2])
def test_a_resumed_run_equals_one_without_a_break(task: str, pause: int):
    straight, told = finished(task)
    trainer = started(task)
    before = []
    for event in trainer.run(metrics_every=10):
        before.append(event)
        if sum(isinstance(e, Metrics) for e in before) == pause:
            break
    saved, meta = trainer.state_dict()
    saved = {name: array.copy() for name, array in saved.items()}
    resumed = started(task)
    resumed.load_state_dict(saved, json.loads(json.dumps(meta)))
    assert 0 < resumed.step == trainer.step < trainer.config.training.steps
    after = list(resumed.run(metrics_every=10))
    assert_equal(arrays(straight), arrays(resumed))
    assert straight.state_dict()[1] == resumed.state_dict()[1]
    for x, y in zip(told, [*before, *after], strict=True):
        assert type(x) is type(y) and x.step == y.step
        if isinstance(x, Metrics) and isinstance(y, Metrics):
            assert_equal(x.values, y.values)
            assert x.shared["searches"] == y.shared["searches"]
            assert x.shared["environment_steps"] == y.shared["environment_steps"]


@pytest.mark.parametrize(("checkpoints", "rate"), [((0, 7, 20, 30), 1.5), ((1, 2, 29), 4.0), ((30,), 0.3), ((), 1.5)])
def test_checkpoints_are_exactly_the_chosen_steps(checkpoints: tuple[int, ...], rate: float):
    trainer = started("chain", [3], checkpoints=checkpoints, updates_per_environment_step=rate)
    reached, weights = [], []
    for event in trainer.run():
        if isinstance(event, Reached):
            assert trainer.step == event.step
            reached.append(event.step)
            weights.append(trainer.learner.theta.numpy().copy())
    assert tuple(reached) == checkpoints
    assert trainer.step == 30
    assert len({w.tobytes() for w in weights}) == len(weights)


def test_where_checkpoints_are_taken_changes_nothing():
    some, _ = finished("chain")
    others, _ = finished("chain", checkpoints=(1, 2, 3, 28))
    assert_equal(arrays(some), arrays(others))


def test_updates_keep_their_ratio_to_environment_steps():
    """As many per environment step as were asked for, once the warm-up is over, rounded down to a slot."""
    trainer = started("chain", steps=60, updates_per_environment_step=0.7)
    steps = []
    for event in trainer.run(metrics_every=1):
        if isinstance(event, Metrics):
            written = trainer.replay.written
            assert event.shared["environment_steps"] == written * 2
            assert event.step == min(60, int((written - 12 + 1) * 2 * 0.7 + 1e-9))
            steps.append(event.step)
    assert steps[0] == 1 and steps[-1] == 60


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 1.5, 60.0])
def test_a_config_knows_its_environment_steps(rate: float):
    trainer, _ = finished("chain", [3], updates_per_environment_step=rate)
    assert trainer.config.training.environment_steps == trainer.replay.written * 2


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 1.0])
def test_the_reanalysed_fraction_is_what_was_asked_for(fraction: float):
    trainer, told = finished("chain", reanalyse_fraction=fraction)
    assert trainer.fresh == len(SEEDS) * int(30 * 8 * fraction + 1e-9)
    metrics = [event for event in told if isinstance(event, Metrics)]
    assert metrics[-1].shared["reanalysed_fraction"] == pytest.approx(fraction, abs=1e-12)
    assert (metrics[-1].shared["searches"] > 0) == (fraction > 0)


def test_schedules_are_followed(monkeypatch: pytest.MonkeyPatch):
    """Temperature, beta and learning rate are those of the step that they are used at."""
    trainer = started("chain", [0], steps=40, checkpoints=(0,), updates_per_environment_step=1.0)
    temperatures, betas, rates = [], [], []
    act, sample = trainer.actor.act, trainer.replay.sample

    def acting(model: Any, temperature: float, replay: Any) -> None:
        temperatures.append((trainer.step, temperature))
        act(model, temperature, replay)

    def sampling(rngs: Any, updates: int, beta: float) -> Any:
        betas.append((trainer.step, beta))
        return sample(rngs, updates, beta)

    monkeypatch.setattr(trainer.actor, "act", acting)
    monkeypatch.setattr(trainer.replay, "sample", sampling)
    update = updates.update

    def updating(*arguments: Any) -> None:
        rates.extend(arguments[2].rates)
        update(*arguments)

    monkeypatch.setattr(updates, "update", updating)
    list(trainer.run())
    assert all(t == (1.0 if s < 20 else 0.5 if s < 30 else 0.25) for s, t in temperatures)
    assert {t for _, t in temperatures} == {1.0, 0.5, 0.25}
    assert betas == [(s, pytest.approx(0.4 + 0.6 * s / 40)) for s, _ in betas] and len(betas) > 10
    assert rates == pytest.approx([1e-3 * 0.1 ** (s / 40) for s in range(40)])


def test_metrics_are_means_since_the_last():
    trainer = started("chain", steps=40)
    told = [event for event in trainer.run(metrics_every=15) if isinstance(event, Metrics)]
    assert [event.step >= 15 for event in told] == [True] * len(told) and told[-1].step == 40
    for event in told:
        for name in ("reward_loss", "value_loss", "policy_loss", "gradient_norm"):
            assert event.values[name].shape == (3,) and (event.values[name] > 0).all()
        assert not event.values["skipped"].any()
        done = event.values["episodes"] > 0
        assert (event.values["return_mean"][done] == 1).all()  # the chain pays 1 at its end
        assert np.isnan(event.values["return_mean"][~done]).all()


def test_a_seed_that_diverges_harms_no_other():
    healthy, spoiled = started("chain"), started("chain")
    spoiled.learner.theta[0] = np.nan
    list(healthy.run())
    told = [event for event in spoiled.run(metrics_every=1) if isinstance(event, Metrics)]
    assert np.sum([event.values["skipped"] for event in told], 0).tolist() == [30, 0, 0]
    for name, array in spoiled.learner.state_dict().items():
        if name != "step":
            assert np.array_equal(array[1:], healthy.learner.state_dict()[name][1:])


@pytest.mark.parametrize("seeds", [[], [-1, 2], [1, 1]])
def test_impossible_seeds_are_refused(seeds: list[int]):
    with pytest.raises(ValueError, match="must be distinct, 0 or above, and at least one"):
        started("chain", seeds)


def test_nets_of_one_s_own_are_trained():
    env, training = CartPole(), tiny_training()
    nets = random_nets(observation=4, actions=2, latent=8, hidden=24, value=(0, 20))
    trainer = Trainer(Config(training=training), env, [3], nets=nets)
    assert trainer.nets is nets
    before = trainer.learner.theta.clone()
    assert before.shape == (1, nets.layout.size)
    list(trainer.run())
    assert (trainer.learner.theta != before).float().mean() > 0.9
    usual = Trainer(Config(nets=NetsConfig(latent=8, hidden=24), training=training), env, [3])
    list(usual.run())
    assert_equal(arrays(trainer), arrays(usual))


def test_a_population_learns():
    """Enough updates to know the bandit's best arm, so that all parts together do what they are for."""
    settings = Config(
        nets=NetsConfig(latent=16, hidden=16, value_low=-3, value_high=3, reward_low=-3, reward_high=3),
        search=SearchConfig(simulations=50, discount=0.95),
        training=tiny_training(
            steps=500, checkpoints=(), batch_size=16, n_step=1, environments=4, warmup_slots=20, replay_slots=200,
            learning_rate=1e-2, learning_rate_end=1e-3,
        ),
    )  # fmt: skip
    trainer = Trainer(settings, bandit(), [0, 2])
    told = [event for event in trainer.run(metrics_every=100) if isinstance(event, Metrics)]
    first, last = told[0].values["return_mean"], told[-1].values["return_mean"]
    assert (first < 1.5).all() and (last > 1.8).all()  # arms pay 1, 0, 2
    model = learned_model(trainer.nets, trainer.learner.theta, np.array([0, 1]))
    root = model.root(trainer.env.observe(np.zeros(2, int)))
    assert (root.prior_logits.argmax(1) == 2).all()
    for arm, paid in enumerate((1.0, 0.0, 2.0)):
        step = model.step(root.states, np.full(2, arm))
        np.testing.assert_allclose(step.rewards, paid, atol=0.15)
        np.testing.assert_allclose(step.values, 0, atol=0.15)  # the end
