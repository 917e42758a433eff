"""Is a list of shipped files sha256sum's own, read back as written, and compared with what is there?"""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from muzero_probe import shipped
from muzero_probe.checkpoints import CheckpointError, checkpoint_path

CONTENTS = {
    "seed_000/step_00000020.safetensors": b"a",
    "seed_003/step_00000020.safetensors": b"b",
    "seed_003/step_00000060.safetensors": b"c",
    "metrics/seeds_000-003.csv": b"step,seed\n",
}
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """A folder with four files of which the list says all; they need not be checkpoints to be compared."""
    folder = tmp_path / "smoke" / "cartpole"
    for name, content in CONTENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert shipped.write(tmp_path, "smoke", "cartpole", [folder / name for name in CONTENTS]) == folder / "SHA256SUMS"
    return folder


def read(agent: Path) -> shipped.Shipped:
    return shipped.read(agent.parents[1], "smoke", "cartpole")


def test_a_list_comes_back_as_written(agent: Path):
    found = read(agent)
    assert found.digests == {agent / name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    wanted = [(0, 20), (3, 20), (3, 60)]
    assert found.checkpoints == {key: checkpoint_path(agent.parents[1], "smoke", "cartpole", *key) for key in wanted}
    assert found.seeds == [0, 3]
    assert found.changed() == ([], [])


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_checks_it(agent: Path):
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=agent, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name}: OK" for name in sorted(CONTENTS)]
    (agent / "seed_000" / "step_00000020.safetensors").write_bytes(b"x")
    assert subprocess.run(command, cwd=agent, capture_output=True).returncode == 1


def test_without_a_list_nothing_ships(tmp_path: Path):
    found = shipped.read(tmp_path, "smoke", "cartpole")
    assert found == shipped.NOTHING
    assert (found.seeds, found.wanted(0, (5, 7)), found.whole([0])) == ([], [5, 7], False)
    assert found.changed() == ([], []) and found.mend(tmp_path / "file") == ""


def test_a_shipped_seed_wants_what_ships_and_another_one_all(agent: Path):
    found = read(agent)
    assert [found.wanted(seed, (0, 20, 60)) for seed in (0, 1, 3)] == [[20], [0, 20, 60], [20, 60]]


def test_what_is_gone_or_another_is_told_by_its_seed(agent: Path):
    gone, other, metrics = (agent / name for name in list(CONTENTS)[1:])
    gone.unlink()
    other.write_bytes(b"trained again")
    metrics.unlink()
    metrics.mkdir()  # nothing that could be read
    found = read(agent)
    assert found.changed() == ([gone], [metrics, other])
    assert found.changed([0]) == ([], []) and found.changed([3]) == ([gone], [other])
    assert [found.whole(seeds) for seeds in ([0], [3], [0, 3], [0, 1])] == [True, False, False, False]


def test_seeds_are_whole_without_their_metrics(agent: Path):
    shutil.rmtree(agent / "metrics")
    assert read(agent).whole([0, 3])


def test_one_line_says_what_is_gone_and_what_brings_it_back(agent: Path):
    found, paths = read(agent), [agent / name for name in CONTENTS]
    data = paths[0].read_bytes()
    paths[0].unlink()
    again = "make train-seeds PROFILE=smoke AGENT=cartpole trains it again"
    assert found.lost(paths[:1]) == (
        f"{paths[0]}: ships with the repository, and is gone: "
        f"git checkout -- {paths[0]} brings back what ships; {again}"
    )
    paths[0].write_bytes(data)
    assert found.mend(paths[0]).endswith(f"ships; once deleted, {again}")
    for path in paths[1:]:
        path.unlink()
    assert found.lost(paths[1:]) == (
        f"{paths[1]}: ships with the repository, and is gone, and 2 more: git checkout -- {agent} brings back what "
        f"ships; {again}"
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "seed_000/step_00000020.safetensors",
        f"{EMPTY[1:]}  seed_000/step_00000020.safetensors",
        f"{EMPTY.upper()}  seed_000/step_00000020.safetensors",
        f"{EMPTY} seed_000/step_00000020.safetensors",
        f"{EMPTY}  seed_0/step_00000020.safetensors",
        f"{EMPTY}  seed_000/step_20.safetensors",
        f"{EMPTY}  seed_000/../step_00000020.safetensors",
        f"{EMPTY}  seed_²/step_00000020.safetensors",
        f"{EMPTY}  resume/seeds_000/state_00000020.safetensors",
        f"{EMPTY}  metrics/../../other.csv",
        f"{EMPTY}  /etc/hosts",
    ],
)
def test_a_line_of_another_form_is_named(agent: Path, line: str):
    path = agent / "SHA256SUMS"
    path.write_text(f"{EMPTY}  seed_000/step_00000020.safetensors\n{line}\n")
    with pytest.raises(CheckpointError) as caught:
        read(agent)
    assert str(caught.value) == (
        f"{path}: line 2 is not the SHA-256 and the name of a checkpoint or of metrics: "
        f"put it back with: git checkout -- {path}"
    )


def test_a_list_that_is_no_text_is_refused(agent: Path):
    (agent / "SHA256SUMS").write_bytes(b"\xff\n")
    with pytest.raises(CheckpointError, match="SHA256SUMS: line 1 is not"):
        read(agent)
