"""Are the metrics of acting what their definitions say, decision by decision?"""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from muzero_probe.training.monitor import FORESEEN, KNOWN, PLACES, Decided, Monitor

S, E, A = 2, 3, 4
R = S * E
GAMMA = 0.98
LIMIT = 70  # steps: more than four times the places


class Row(NamedTuple):
    """What an oracle keeps of one decision."""

    action: int
    reward: float
    prior: np.ndarray
    visits: np.ndarray
    value: float  # of the net
    foretold: float
    playing: bool


class Episode(NamedTuple):
    rows: list[Row]
    bootstrap: float | None  # search value at a cut; None behind a termination


def replay_of(**changes: Any) -> Any:
    """What the monitor reads of replay, empty but for what is given."""
    shape = (S, E, 10)
    usual = {"written": 0, "terminated": np.zeros(shape, bool), "weights": np.zeros(shape)}
    return SimpleNamespace(config=SimpleNamespace(replay_slots=10, environments=E), **(usual | changes))


def played(
    slots: int, *, seed: int = 0, end: float = 0.03, pay: float = 0.3, plays: bool = True
) -> tuple[list[Decided], list[list[Row]], list[list[Episode]]]:
    """Random acting: what the monitor is told, every seed's decisions, and its whole episodes."""
    rng = np.random.default_rng(seed)
    told: list[Decided] = []
    decisions: list[list[Row]] = [[] for _ in range(S)]
    episodes: list[list[Episode]] = [[] for _ in range(S)]
    running: list[list[Row]] = [[] for _ in range(R)]
    for _ in range(slots):
        final = np.array([len(rows) == LIMIT for rows in running])
        logits = rng.normal(size=(R, A)).astype(np.float32)
        visits = rng.multinomial(9, rng.dirichlet(np.ones(A), R)) / 9
        actions = np.array([rng.choice(A, p=row) for row in visits])
        rewards = np.where(rng.random(R) < pay, rng.choice([-2.0, 1.0, 3.0], R), 0.0).astype(np.float32)
        values, nets, foretold = rng.normal(5, 2, R), rng.normal(5, 2, R).astype(np.float32), rng.normal(0, 2, (R, A))
        foretold[visits == 0] = np.nan
        terminated = (rng.random(R) < end) & ~final
        playing = rng.random(R) < 0.7
        told.append(
            Decided(
                lengths=np.array([len(rows) for rows in running]), final=final, terminated=terminated, actions=actions,
                rewards=rewards,
                returns=np.array(
                    [
                        sum(row.reward for row in rows) + (0.0 if cut else float(reward))
                        for rows, cut, reward in zip(running, final, rewards, strict=True)
                    ]
                ),
                in_play=playing if plays else np.zeros(0, bool), visits=visits, values=values, prior_logits=logits,
                net_values=nets, net_rewards=foretold,
            )
        )  # fmt: skip
        for b in range(R):
            if final[b]:
                episodes[b // E].append(Episode(running[b], float(values[b])))
                running[b] = []
                continue
            weights = np.exp(logits[b].astype(float))
            row = Row(
                int(actions[b]), float(rewards[b]), weights / weights.sum(), visits[b], float(nets[b]),
                float(foretold[b, actions[b]]), bool(playing[b]),
            )  # fmt: skip
            decisions[b // E].append(row)
            running[b].append(row)
            if terminated[b]:
                episodes[b // E].append(Episode(running[b], None))
                running[b] = []
    return told, decisions, episodes


def watched(told: list[Decided]) -> Monitor:
    monitor = Monitor(seeds=S, environments=E, num_actions=A, discount=GAMMA)
    for decided in told:
        monitor.add(decided)
    return monitor


def followed(episode: Episode) -> list[tuple[float, float, int]]:
    """Return met, value predicted and weight of an episode's states, from the definition."""
    length = len(episode.rows)
    stride = next(2**k for k in range(20) if math.ceil(length / 2**k) <= PLACES)
    found = []
    for t in range(0, length, stride):
        left = length - t
        met = sum(GAMMA**k * episode.rows[t + k].reward for k in range(left))
        if episode.bootstrap is not None:
            if GAMMA**left > KNOWN:
                continue
            met += GAMMA**left * episode.bootstrap
        found.append((met, episode.rows[t].value, stride))
    return found


def entropy(policy: np.ndarray) -> float:
    return -sum(p * math.log(p) for p in policy if p > 0)


def test_decisions_are_counted_as_defined():
    told, decisions, episodes = played(300)
    found = watched(told).pop(replay_of())
    for s in range(S):
        rows = decisions[s]
        n = len(rows)
        assert found["action_share"][s] == max(sum(row.action == a for row in rows) for a in range(A)) / n
        assert found["in_play_share"][s] == sum(row.playing for row in rows) / n
        assert found["prior_entropy"][s] == pytest.approx(sum(entropy(row.prior) for row in rows) / n, rel=1e-12)
        assert found["search_entropy"][s] == pytest.approx(sum(entropy(row.visits) for row in rows) / n, rel=1e-12)
        other = [row for row in rows if row.visits[row.prior.argmax()] < row.visits.max()]
        assert found["disagreement"][s] == len(other) / n
        rewarded = [row for row in rows if row.reward]
        foreseen = [row for row in rewarded if row.foretold / row.reward >= FORESEEN]
        assert found["rewarded"][s] == len(rewarded)
        assert found["reward_recall"][s] == len(foreseen) / len(rewarded)
        assert found["terminations"][s] == sum(episode.bootstrap is None for episode in episodes[s])
    assert n > 800 and 0 < len(foreseen) < len(rewarded) and 0 < len(other) < n


@pytest.mark.parametrize("end", [0.0, 0.03, 0.3])
def test_returns_are_held_against_values_as_defined(end: float):
    """Cut episodes alone, both kinds, and short ones."""
    told, _, episodes = played(400, end=end)
    found = watched(told).pop(replay_of())
    for s in range(S):
        met, predicted, weight = map(np.array, zip(*(x for e in episodes[s] for x in followed(e)), strict=True))
        mean = np.average(met, weights=weight)
        variance = np.average((met - mean) ** 2, weights=weight)
        errors = met - predicted
        left = np.average((errors - np.average(errors, weights=weight)) ** 2, weights=weight)
        assert found["return_states"][s] == len(met) > 50
        assert found["return_level"][s] == pytest.approx(mean, rel=1e-9)
        assert found["return_spread"][s] == pytest.approx(math.sqrt(variance), rel=1e-9)
        assert found["return_explained"][s] == pytest.approx(1 - left / variance, abs=1e-9)


def test_perfect_values_explain_everything():
    told, _, _ = played(500)
    ends = {b: [i for i, d in enumerate(told) if d.terminated[b] or d.final[b]] for b in range(R)}
    for b in range(R):
        worth = 0.0
        for i in reversed(range(ends[b][-1] + 1)):
            d = told[i]
            if d.final[b]:
                worth = float(d.values[b])
                continue
            worth = float(d.rewards[b]) + GAMMA * (0.0 if d.terminated[b] else worth)
            d.net_values[b] = worth
    found = watched(told).pop(replay_of())
    np.testing.assert_allclose(found["return_explained"], 1, atol=1e-9)  # values are stored with 24 bits
    assert (found["return_spread"] > 0.1).all()


def test_an_episode_that_waits_is_idle():
    """Only one that a time limit cut: to lose at once is another thing."""
    told, _, episodes = played(300, pay=0.01)
    found = watched(told).pop(replay_of())
    for s in range(S):
        cut = [episode for episode in episodes[s] if episode.bootstrap is not None]
        assert found["idle_episodes"][s] == sum(sum(row.reward for row in e.rows) == 0 for e in cut)
        assert any(not sum(row.reward for row in e.rows) for e in episodes[s] if e.bootstrap is None)
    assert found["idle_episodes"].sum() > 0


def test_nothing_happened():
    monitor = Monitor(seeds=S, environments=E, num_actions=A, discount=GAMMA)
    counts = {"rewarded", "terminations", "idle_episodes", "return_states", "replay_terminations"}
    for name, values in monitor.pop(replay_of()).items():
        assert values.shape == (S,)
        assert (values == 0).all() if name in counts else np.isnan(values).all(), name


def test_an_environment_that_does_not_say():
    told, _, _ = played(20, plays=False)
    assert np.isnan(watched(told).pop(replay_of())["in_play_share"]).all()


def test_counts_begin_again_and_running_episodes_go_on():
    told, _, _ = played(300)
    monitor, counts = watched([]), ("rewarded", "terminations", "return_states")
    parts: list[dict[str, np.ndarray]] = []
    for part in (told[:101], told[101:]):
        for decided in part:
            monitor.add(decided)
        parts.append(monitor.pop(replay_of()))
    whole = watched(told).pop(replay_of())
    for name in counts:
        assert np.array_equal(parts[0][name] + parts[1][name], whole[name])


def test_a_restored_monitor_goes_on_alike():
    told, _, _ = played(300)
    monitor = watched(told[:150])
    monitor.pop(replay_of())
    other = watched(told[:31])  # in the middle of something else
    other.load_state_dict(monitor.state_dict())
    for decided in told[150:]:
        monitor.add(decided)
        other.add(decided)
    for (name, a), b in zip(monitor.pop(replay_of()).items(), other.pop(replay_of()).values(), strict=True):
        assert np.array_equal(a, b, equal_nan=True), name


def test_a_seed_that_diverged_harms_no_other_and_leaves_a_sound_state():
    told, _, _ = played(200)
    spoiled = []
    for decided in told:
        copied = Decided(*(array.copy() for array in decided))
        for name in ("visits", "values", "prior_logits", "net_values", "net_rewards"):
            getattr(copied, name)[:E] = np.nan
        spoiled.append(copied)
    sick, sound = watched(spoiled), watched(told)
    assert all(np.isfinite(array).all() for array in sick.state_dict().values())
    for (name, a), b in zip(sick.pop(replay_of()).items(), sound.pop(replay_of()).values(), strict=True):
        assert np.array_equal(a[1], b[1], equal_nan=True), name


def test_what_replay_holds():
    weights = np.zeros((S, E, 10))
    weights[0, 0, :4] = 2.0  # as good as four of four
    weights[1, 1, :4] = (1.0, 0.0, 3.0, 0.0)  # (1 + 3)^2 / (2 * (1 + 9))
    terminated = np.zeros((S, E, 10), bool)
    terminated[0, :, 1] = True
    terminated[:, 0, 7] = True  # of slots that are not written yet
    monitor = watched([])
    found = monitor.pop(replay_of(written=5, weights=weights, terminated=terminated))
    assert found["replay_terminations"].tolist() == [3 / 15, 0.0]
    assert found["replay_effective"] == pytest.approx([1.0, 0.8])
    found = monitor.pop(replay_of(written=25, weights=weights, terminated=terminated))
    assert found["replay_terminations"].tolist() == [4 / 30, 1 / 30]
