"""`python -m figures`: what it writes and imports, and one line for what it cannot draw."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from figures import __main__ as program

ROOT = Path(__file__).parents[2]


def returns_table() -> pd.DataFrame:
    """Three seeds at two checkpoints."""
    return pd.DataFrame(
        [
            {"seed": seed, "step": step, "policy": policy, "return_mean": 20.0 + seed + step}
            for seed in range(3)
            for step in (0, 500)
            for policy in ("search", "prior")
        ]
    )


def planning_table() -> pd.DataFrame:
    """Two seeds at one checkpoint: a search, and the baseline, whose model is the word none."""
    return pd.DataFrame(
        [
            {
                "seed": seed,
                "step": 500,
                "model": model,
                "prior": "policy",
                "simulations": simulations,
                "return_mean": 30.0 + seed + simulations,
            }
            for seed in range(2)
            for model, simulations in (("none", 0), ("learned", 1), ("learned", 4))
        ]
    )


def write(root: Path, name: str, agent: str, table: pd.DataFrame) -> Path:
    """Put a table where the program looks for it."""
    path = root / "tables" / "quick" / agent / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path


def run(root: Path, *arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the program on the tables below a folder, warnings being errors."""
    places = ["--tables", str(root / "tables"), "--out", str(root / "out")]
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "figures", *arguments, *places],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_writes_the_same_bytes_again(tmp_path: Path) -> None:
    """Both files are written and named, and redrawing an unchanged table changes no byte."""
    write(tmp_path, "returns", "cartpole", returns_table())
    written = [tmp_path / "out" / "quick" / f"returns.{suffix}" for suffix in ("png", "pdf")]
    contents = []
    for hash_seed in ("1", "2"):
        done = run(tmp_path, "returns", "--agent", "cartpole", hash_seed=hash_seed)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == [str(path) for path in written]
        contents.append([path.read_bytes() for path in written])
    assert contents[0] == contents[1]
    assert contents[0][1].startswith(b"%PDF")
    assert b"/Type3" not in contents[0][1]
    for stamp in (b"CreationDate", b"tEXt"):
        assert all(stamp not in content for content in contents[0])


def test_imports_nothing_heavy(tmp_path: Path) -> None:
    """Drawing needs neither torch nor the library."""
    write(tmp_path, "planning", "cartpole", planning_table())
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from figures.__main__ import main\n"
        f"root = Path({str(tmp_path)!r})\n"
        "assert main(('planning',), tables=root / 'tables', out=root / 'out') == 0\n"
        "print([m for m in ('torch', 'muzero_probe', 'matplotlib.pyplot') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_model_none_is_a_word(tmp_path: Path) -> None:
    """The baseline survives the way through a file."""
    path = write(tmp_path, "planning", "cartpole", planning_table())
    table = program.read(path, program.FIGURES["planning"].COLUMNS)
    pd.testing.assert_frame_equal(table, planning_table())


def test_agents_default_to_those_with_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each figure shows the agents that have its table; what has none is told at the end."""
    write(tmp_path, "returns", "minatar", returns_table())
    write(tmp_path, "returns", "cartpole", returns_table())
    write(tmp_path, "planning", "cartpole", planning_table())
    root = tmp_path / "tables"
    found = program.read_all("returns", profile="quick", agents=(), root=root)
    assert set(found) == {"cartpole", "minatar"}
    titles = [axes.get_title() for axes in program.FIGURES["returns"].draw(found).axes]
    assert titles == ["Cart Pole\nn = 3 seeds", "Breakout (MinAtar)\nn = 3 seeds"]
    assert program.main(tables=root, out=tmp_path / "out") == 1
    output = capsys.readouterr()
    drawn = [Path(line).name for line in output.out.splitlines()]
    assert drawn == ["returns.png", "returns.pdf", "planning.png", "planning.pdf"]
    assert len(output.err.splitlines()) == 4


def test_agents_of_two_profiles_side_by_side(tmp_path: Path) -> None:
    """An agent of another profile is named with it."""
    paper = write(tmp_path, "returns", "cartpole", returns_table())
    paper.parent.parent.rename(tmp_path / "tables" / "paper")
    write(tmp_path, "returns", "lunar_lander", returns_table())
    agents = ("paper/cartpole", "lunar_lander")
    found = program.read_all("returns", profile="quick", agents=agents, root=tmp_path / "tables")
    titles = [axes.get_title() for axes in program.FIGURES["returns"].draw(found).axes]
    assert titles == ["Cart Pole\nn = 3 seeds", "Lunar Lander\nn = 3 seeds"]
    done = run(tmp_path, "returns", "--agent", "paper/lunar_lander")
    command = "python -m analyses returns --profile paper --agent lunar_lander"
    assert f"make it with `{command}`" in done.stderr


def test_missing_table(tmp_path: Path) -> None:
    """A missing table: its path, the command that makes it, exit code 1, no traceback."""
    write(tmp_path, "returns", "cartpole", returns_table())
    done = run(tmp_path, "returns", "--agent", "cartpole", "--agent", "minatar")
    path = tmp_path / "tables" / "quick" / "minatar" / "returns.csv"
    command = "python -m analyses returns --profile quick --agent minatar"
    assert done.returncode == 1
    assert done.stderr == f"there is no table {path}: make it with `{command}`\n"
    assert done.stdout == ""


def test_unknown_figure(tmp_path: Path) -> None:
    """An unknown name: one line with all names."""
    done = run(tmp_path, "return")
    names = ", ".join(program.FIGURES)
    assert done.returncode == 1
    assert done.stderr == f"no figure is named return: there are {names}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is an empty file"),
        ("seed,step,policy,return_mean\n", "has no rows"),
        ("seed,policy\n0,search\n", "lacks the columns step, return_mean"),
        ("seed,step,policy,return_mean\n0,0,search,high\n", "has values that are not numbers in"),
        ("seed,step,policy,return_mean\n" + "0,0,search,1\n" * 2, "has more than one row for"),
        ('seed,step\n0,"0\n', "is no CSV table: "),
    ],
)
def test_unsound_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    """A table that cannot be drawn: one line that names it and what is wrong."""
    path = write(tmp_path, "returns", "cartpole", returns_table())
    path.write_text(text)
    assert program.main(("returns",), tables=tmp_path / "tables", out=tmp_path / "out") == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"{path} {message}")
    assert len(output.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
