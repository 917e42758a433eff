"""Do training and status say what ships, and what of it is gone or another?"""

import shutil
from pathlib import Path

import pytest

from muzero_probe import shipped
from muzero_probe.checkpoints import checkpoint_path, list_checkpoints
from muzero_probe.cli import main as cli
from tests.cli.words import FAST, SMOKE, lines


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    assert cli.main([*SMOKE, *FAST, "--root", str(root)]) == 0
    return root


@pytest.fixture
def root(tmp_path: Path, trained: Path) -> Path:
    """A copy whose last step ships; the other one is not there."""
    root = Path(shutil.copytree(trained, tmp_path / "root"))
    for _, step, path in list_checkpoints(root, "smoke", "cartpole"):
        if step == 0:
            path.unlink()
    paths = [path for *_, path in list_checkpoints(root, "smoke", "cartpole")]
    shipped.write(root, "smoke", "cartpole", paths)
    return root


def test_training_says_that_nothing_is_trained(root: Path, capsys: pytest.CaptureFixture):
    assert cli.main([*SMOKE, *FAST, "--root", str(root)]) == 0
    assert capsys.readouterr().out == (
        "cartpole/smoke: seeds 0:2 ship with the repository: nothing is trained; --root with another folder trains "
        "them anew\n"
    )


def test_status_of_what_ships(root: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["status", "--root", str(root)]) == 0
    output = capsys.readouterr().out
    assert [row[3:] for row in lines(output)] == [["24", "2 of 2", "-"]]
    assert output.endswith("smoke/cartpole: seeds 0:2 ship with the repository\n")


def test_status_of_what_is_gone(root: Path, capsys: pytest.CaptureFixture):
    path = checkpoint_path(root, "smoke", "cartpole", 1, 24)
    path.unlink()
    assert cli.main(["status", "--root", str(root)]) == 1
    output = capsys.readouterr().out
    assert [row[3:] for row in lines(output)] == [["24", "1 of 2", "1"]]
    assert f"damaged: {path}: ships with the repository, and is gone: git checkout -- {path} brings" in output
    assert cli.main(["status", "--root", str(root), "--seeds", "0"]) == 0
    assert "seeds 0 ship with the repository\n" in capsys.readouterr().out


def test_status_of_what_is_another(root: Path, capsys: pytest.CaptureFixture):
    path = checkpoint_path(root, "smoke", "cartpole", 1, 24)
    list_ = shipped.list_path(root, "smoke", "cartpole")
    text = list_.read_text()
    list_.write_text(text.replace(text.splitlines()[1][:64], "0" * 64))
    assert cli.main(["status", "--root", str(root)]) == 0
    assert f"{path}: other than what ships: git checkout -- {path} brings back what ships" in capsys.readouterr().out
    assert cli.main([*SMOKE, *FAST, "--root", str(root)]) == 0
    assert "are complete" in capsys.readouterr().out
