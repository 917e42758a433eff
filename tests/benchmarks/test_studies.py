"""Does the table of whole studies say what metrics and headers hold?"""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import studies
from muzero_probe.checkpoints import save_checkpoint
from muzero_probe.provenance import commit, versions

HEAD = "step,seed,return_mean,environment_steps,seconds_act,seconds_replay,seconds_reanalyse,seconds_learn\n"


def population(root: Path, name: str, seeds: tuple[int, ...], rows: dict[int, tuple[float, ...]]) -> None:
    """Leaves a table of metrics and a checkpoint a seed."""
    profile, agent = name.split("/")
    folder = root / profile / agent
    (folder / "metrics").mkdir(parents=True, exist_ok=True)
    lines = [f"{step},{s},1.5,{','.join(map(str, row))}\n" for step, row in rows.items() for s in seeds]
    (folder / "metrics" / f"seeds_{seeds[0]:03d}.csv").write_text(HEAD + "".join(lines))
    for seed in seeds:
        save_checkpoint(
            root, agent=agent, profile=profile, seed=seed, step=0, config={}, arrays={"x": np.zeros(1, np.float32)}
        )


def test_a_row_per_table_of_metrics(tmp_path: Path):
    population(
        tmp_path, "paper/cartpole", (0, 1, 2),
        {500: (900, 100, 100, 100, 100), 1000: (1900, 1, 1, 2, 6), 1500: (2900, 2, 1, 2, 5)},
    )  # fmt: skip
    population(tmp_path, "desk/breakout", (0, 1), {8: (9, 1, 1, 1, 1), 16: (40, 1, 1, 1, 1)})
    population(tmp_path, "desk/breakout", (2, 3), {8: (9, 1, 1, 1, 1)})  # has only begun
    population(tmp_path, "quick/minatar", (0,), {8: (9, 1, 1, 1, 1), 16: (40, 1, 1, 1, 1)})  # is not reported
    cartpole, breakout = studies.trained(tmp_path)
    # what lies behind the first metrics: 3 seeds x 1,000 updates in 20 s
    assert cartpole.seconds == {"act": 3, "replay": 2, "reanalyse": 4, "learn": 11}
    assert cartpole.rate == pytest.approx(150)
    assert breakout.rate == pytest.approx(4)
    _, _, first, second = studies.lines([cartpole, breakout])
    shown = "| Cart Pole `paper` | 3 | 1,000 | 2,900 | 20 s | 150 | 15.0% | 10.0% | 20.0% | 55.0% |"
    assert first.startswith(shown)
    assert second.startswith("| Breakout (ALE) `desk` | 2 | 8 | 40 | 4 s | 4 | 25.0% |")
    now = versions()
    for what in (now["processor"], f"python {now['python']}", f"torch {now['torch']}", f"numba {now['numba']}"):
        assert what in first
    assert commit()[:7] in first


def test_without_a_population_it_says_so(tmp_path: Path):
    assert list(studies.trained(tmp_path)) == []
    assert studies.lines([]) == ["No population of a reported profile lies under `checkpoints/` here."]
