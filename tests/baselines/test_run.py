"""Is a baseline trained with the published hyperparameters, and played as MuZero is?"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from analyses.harness.agents import Agents
from baselines import run, study
from baselines.hyperparameters import BASELINES, Baseline
from muzero_probe import agents
from muzero_probe.config import SearchConfig
from muzero_probe.envs.planted import TabularEnvironment
from muzero_probe.probes.episodes import play
from muzero_probe.search.policies import sample_actions

EVERY = [(agent, algorithm) for agent in BASELINES for algorithm in run.ALGORITHMS]


def paying() -> TabularEnvironment:
    """One place, where action 1 pays 1; six steps."""
    return TabularEnvironment([[0, 0]], [[0, 1]], [False], time_limit=6)


def quick(algorithm: str, **values: Any) -> Baseline:
    baseline = BASELINES["cartpole"][algorithm]
    return dataclasses.replace(baseline, values={**baseline.values, **values})


def small(agent: str, algorithm: str) -> Any:
    of_agent = agents.load(agent)
    if lacking := of_agent.lacks():  # `agents.test_load` says where that may be
        pytest.skip(lacking)
    env = of_agent.make(of_agent.profile("smoke").environment)
    return run.untrained(algorithm, BASELINES[agent][algorithm], env, steps=100, seed=0)


@pytest.mark.parametrize(
    ("agent", "profile", "slots", "environments"),
    [  # slots of warm-up but one, and those that the updates take: updates / (environments x updates a step)
        ("cartpole", "paper", 127 + 25_000, 8),
        ("lunar_lander", "desk", 127 + 15_625, 64),
        ("minatar", "desk", 127 + 12_500, 32),
        ("breakout", "desk", 62 + 10_000, 32),
    ],
)
def test_steps_are_those_of_muzero(agent: str, profile: str, slots: int, environments: int):
    assert study.Place(agents.load(agent), profile).steps == slots * environments


def test_steps_are_rounded_up_to_whole_rounds():
    """A round of Cart Pole's PPO is 8 x 32 steps, of its DQN 256, of ALE's DQN 4."""
    assert run.whole("ppo", BASELINES["cartpole"]["ppo"], 201_016) == 201_216
    assert run.whole("dqn", BASELINES["cartpole"]["dqn"], 256) == 256
    assert run.whole("dqn", BASELINES["breakout"]["dqn"], 61_981) == 61_984


@pytest.mark.parametrize(("agent", "algorithm"), EVERY)
def test_hyperparameters_arrive(agent: str, algorithm: str):
    made = small(agent, algorithm)
    baseline = BASELINES[agent][algorithm]
    assert made.n_envs == baseline.environments
    for name, value in baseline.values.items():
        found = getattr(made, name)
        if isinstance(value, str):
            start = float(value.split()[1])
            assert [found(left) for left in (1.0, 0.5, 0.0)] == pytest.approx([start, start / 2, 0])
        elif name == "train_freq":
            assert (found.frequency, found.unit.value) == (value, "step")
        elif name == "buffer_size":
            assert found == run.whole(algorithm, baseline, 100) < value  # what is never filled is not held
        elif name == "clip_range":
            assert found(1.0) == value
        else:
            assert found == value


NETS = {  # shapes of the weights from the observation to the first head
    "minatar": [(16, 4, 3, 3), (128, 16 * 8 * 8)],
    "breakout": [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3), (512, 64 * 2 * 2)],
}


@pytest.mark.parametrize("algorithm", run.ALGORITHMS)
@pytest.mark.parametrize("agent", NETS)
def test_nets_of_screens(agent: str, algorithm: str):
    """MinAtar's own, and those of Mnih et al. (2015); a head is one layer on their features."""
    made = small(agent, algorithm)
    net = made.policy if algorithm == "ppo" else made.q_net
    shapes = [tuple(x.shape) for x in net.features_extractor.parameters() if x.ndim > 1]
    assert shapes == NETS[agent]
    head = made.policy.action_net if algorithm == "ppo" else made.q_net.q_net
    assert [tuple(x.shape) for x in head.parameters() if x.ndim > 1] == [(made.action_space.n, shapes[-1][0])]


def test_planes_of_zeros_and_ones_are_not_divided():
    """The library divides screens of 0 to 255 by 255; MinAtar's are none."""
    made = small("minatar", "dqn")
    seen: list[torch.Tensor] = []
    made.q_net.features_extractor.register_forward_hook(lambda net, given, _: seen.append(given[0]))
    made.predict(np.ones((1, 4, 10, 10), np.uint8), deterministic=True)
    assert seen[0].max() == 1


def test_a_time_limit_is_no_end():
    """Replay marks every last step as cut, so that what was drawn of it bootstraps."""
    baseline = quick("dqn", learning_starts=300, train_freq=4)
    made: Any = run.untrained("dqn", baseline, paying(), steps=120, seed=0)
    made.learn(120)
    replay = made.replay_buffer
    assert replay.dones.sum() == replay.timeouts.sum() == 120 / 6
    assert replay.sample(64).dones.sum() == 0


@pytest.mark.parametrize(
    ("algorithm", "values"), [("dqn", {"learning_starts": 50, "train_freq": 4, "gradient_steps": 4}), ("ppo", {})]
)
def test_what_pays_is_learned_and_a_run_repeats_itself(algorithm: str, values: dict[str, Any]):
    """Played greedily, all six steps are paid. The same seed gives the same rows, another one another sample."""

    def measured(seed: int) -> list[dict[str, Any]]:
        baseline = quick(algorithm, **values)
        return run.measure(paying, algorithm, baseline, steps=1_024, seed=seed, episodes=40, label=60)

    rows = measured(3)
    by_policy = {row["policy"]: row for row in rows}
    assert list(by_policy) == (["greedy"] if algorithm == "dqn" else ["greedy", "sampled"])
    for row in rows:
        assert (row["seed"], row["algorithm"], row["episodes"]) == (3, algorithm, 40)
        assert (row["environment_steps"], row["length_mean"]) == (1_024, 6)
    assert by_policy["greedy"]["return_mean"] == 6
    assert rows == measured(3)
    if algorithm == "ppo":
        assert 3 < by_policy["sampled"]["return_mean"] < 6
        assert by_policy["sampled"]["return_mean"] != measured(4)[1]["return_mean"]


def test_episodes_start_as_those_of_returns(monkeypatch: pytest.MonkeyPatch):
    """From the environment seeds that the analysis takes for the same seed and checkpoint."""
    starts: list[np.ndarray] = []

    def played(env: Any, given: np.ndarray, act: Callable[..., np.ndarray]) -> Any:
        starts.append(given)
        return play(env, given, act)

    monkeypatch.setattr(run, "play", played)
    run.measure(paying, "ppo", quick("ppo"), steps=1, seed=7, episodes=5, label=60)
    models: Any = None  # are not asked for
    of_muzero = Agents(
        env=paying(), seeds=(7,), step=60, search=SearchConfig(), temperature=1.0, horizon=1, models=models
    )
    wanted, _, _ = of_muzero.episodes("returns", 5, 60)
    assert len(starts) == 2
    for given in starts:
        np.testing.assert_array_equal(given, wanted)


def test_samples_are_drawn_as_those_of_the_search():
    random = np.random.default_rng(0)
    probabilities, draws = random.dirichlet([0.3] * 4, 1_000), random.random(1_000)
    np.testing.assert_array_equal(run.drawn(probabilities, draws), sample_actions(probabilities, draws))


def test_samples_follow_the_policy():
    """Of 4,000 first actions, the share of each is its probability, within four standard errors."""
    made: Any = run.untrained("ppo", quick("ppo"), paying(), steps=1, seed=0)
    with torch.no_grad():
        made.policy.action_net.bias[:] = torch.tensor([0.0, 1.0])
        (wanted,) = made.policy.get_distribution(torch.ones(1, 1)).distribution.probs[:, 1].tolist()
    rows = np.arange(4_000)
    keys = np.random.default_rng(0).integers(2**63, size=4_000, dtype=np.uint64)
    actions = run._players(made, paying(), keys)["sampled"](rows, rows, np.ones((4_000, 1), np.float32), 0)
    assert abs(actions.mean() - wanted) < 4 * (wanted * (1 - wanted) / 4_000) ** 0.5
