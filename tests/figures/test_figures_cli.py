"""`python -m figures`: what it writes and imports, and one line for what it cannot draw."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyses import tables
from analyses.tables import Column
from figures import __main__ as program
from tests.analyses.studies import NAMES, one_line

ROOT = Path(__file__).parents[2]
TITLES = {"cartpole": "Cart Pole", "minatar": "Breakout (MinAtar)", "lunar_lander": "Lunar Lander", "mine": "Mine"}


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
    """Two seeds at one checkpoint: a search, and the baseline, whose model is that there is no search."""
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
            for model, simulations in (("no search", 0), ("learned", 1), ("learned", 4))
        ]
    )


def write(root: Path, name: str, agent: str, table: pd.DataFrame, *, profile: str = "quick") -> Path:
    """Put a table where the program looks for it."""
    path = root / "tables" / profile / agent / f"{name}.csv"
    kinds = {"i": "int", "f": "float"}
    columns = {column: Column(kinds.get(table[column].dtype.kind, "word"), "", "") for column in table}
    tables.write(
        path,
        table,
        columns,
        {"title": TITLES[agent], "repeats": "trained seed", "analysis": name, "agent": agent, "profile": profile},
    )
    return path


def main(root: Path, *words: str) -> int:
    """The program on the tables below a folder, in this process."""
    return program.main([*words, "--tables", str(root / "tables"), "--out", str(root / "out")])


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
    """Drawing needs neither torch nor compiled code."""
    write(tmp_path, "planning", "cartpole", planning_table())
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from figures.__main__ import main\n"
        f"root = Path({str(tmp_path)!r})\n"
        "assert main(['planning', '--tables', str(root / 'tables'), '--out', str(root / 'out')]) == 0\n"
        "print([m for m in ('torch', 'numba', 'gymnasium') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("word", ["no search", "none", "true", "nan", ""])
def test_a_model_is_a_word(tmp_path: Path, word: str) -> None:
    """The baseline survives the way through a file."""
    given = planning_table().replace("no search", word)
    write(tmp_path, "planning", "cartpole", given)
    found = program.read("planning", profile="quick", agents=(), root=tmp_path / "tables")
    assert list(found) == ["cartpole"]
    pd.testing.assert_frame_equal(found["cartpole"], given)


def test_every_figure_can_be_asked_for() -> None:
    assert set(program.modules()) == set(NAMES)
    for name, module in program.modules().items():
        assert module.__name__ == f"figures.{name}" and {"seed", "step"} <= set(module.COLUMNS)


def test_agents_default_to_those_with_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each figure shows the agents that have its table; a figure of which there is none is left out, in one line."""
    write(tmp_path, "returns", "minatar", returns_table())
    write(tmp_path, "returns", "cartpole", returns_table())
    write(tmp_path, "planning", "cartpole", planning_table())
    found = program.read("returns", profile="quick", agents=(), root=tmp_path / "tables")
    assert list(found) == ["cartpole", "minatar"]
    titles = [axes.get_title() for axes in program.modules()["returns"].draw(found).axes[:2]]
    assert titles == ["Cart Pole\nn = 3 seeds", "Breakout (MinAtar)\nn = 3 seeds"]
    assert main(tmp_path) == 0
    output = capsys.readouterr()
    drawn = {Path(line).name for line in output.out.splitlines()}
    assert drawn == {"returns.png", "returns.pdf", "planning.png", "planning.pdf"}
    lines = output.err.splitlines()
    assert sorted(lines) == [
        f"python -m figures: {name} is left out: no agent has a table of it"
        for name in ("cross_checkpoint", "own_policy", "prior_effect", "search_tree", "sequences")
    ]


def test_what_is_asked_for_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure asked for by name, or any table at all; of all figures, who has no table is left out in a line."""
    assert main(tmp_path) == 1
    assert "there are no tables: make them with" in one_line(capsys.readouterr().err, "python -m figures")
    write(tmp_path, "returns", "cartpole", returns_table())
    assert main(tmp_path, "planning") == 1
    assert "there is no table" in one_line(capsys.readouterr().err, "python -m figures")
    assert main(tmp_path, "--agent", "cartpole") == 0
    assert capsys.readouterr().err.count("is left out") == len(NAMES) - 1
    both = ("--agent", "cartpole", "--agent", "minatar")
    assert main(tmp_path, *both) == 0
    assert "python -m figures: returns is without minatar: no table of it" in capsys.readouterr().err.splitlines()
    assert main(tmp_path, "returns", *both) == 1
    assert "minatar/returns.csv" in capsys.readouterr().err


def test_further_tables_are_read_where_they_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Planning takes its baseline from `returns` of the same agent and profile; a damaged one is said."""
    where: Any = {"profile": "quick", "agents": ("paper/cartpole", "minatar"), "root": tmp_path / "tables"}
    write(tmp_path, "planning", "minatar", planning_table())
    write(tmp_path, "planning", "cartpole", planning_table(), profile="paper")
    assert program.read_further("planning", **where) == {"returns": {}}
    assert program.read_further("returns", **where) == {"baselines": {}}
    assert program.read_further("own_policy", **where) == {}
    write(tmp_path, "returns", "cartpole", returns_table())  # of another profile
    path = write(tmp_path, "returns", "cartpole", returns_table().assign(return_mean=7.0), profile="paper")
    found = program.read_further("planning", **where)["returns"]
    assert list(found) == ["cartpole"] and set(found["cartpole"]["return_mean"]) == {7.0}
    words = ("planning", "--agent", "paper/cartpole", "--agent", "minatar")
    assert main(tmp_path, *words) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    path.write_bytes(path.read_bytes()[:-3])
    assert main(tmp_path, *words) == 1
    said = one_line(capsys.readouterr().err, "python -m figures")
    assert said.startswith(f"{path} was cut or altered")


def test_agents_of_two_profiles_side_by_side(tmp_path: Path) -> None:
    """An agent of another profile is named with it."""
    write(tmp_path, "returns", "cartpole", returns_table(), profile="paper")
    write(tmp_path, "returns", "lunar_lander", returns_table())
    agents = ("paper/cartpole", "lunar_lander")
    found = program.read("returns", profile="quick", agents=agents, root=tmp_path / "tables")
    titles = [axes.get_title() for axes in program.modules()["returns"].draw(found).axes[:2]]
    assert titles == ["Cart Pole\nn = 3 seeds", "Lunar Lander\nn = 3 seeds"]
    done = run(tmp_path, "returns", "--agent", "paper/lunar_lander")
    command = "python -m analyses returns --profile paper --agent lunar_lander"
    assert f"make it with `{command}`" in done.stderr


def test_an_agent_of_a_file_is_named_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the analyses are told; its tables have the file's name."""
    write(tmp_path, "returns", "mine", returns_table())
    assert main(tmp_path, "returns", "--agent", "somewhere/mine.py") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(tmp_path, "planning", "--agent", "somewhere/mine.py") == 1
    path = tmp_path / "tables" / "quick" / "mine" / "planning.csv"
    command = "python -m analyses planning --profile quick --agent somewhere/mine.py"
    said = one_line(capsys.readouterr().err, "python -m figures")
    assert said == f"there is no table {path}: make it with `{command}`"


def test_missing_table(tmp_path: Path) -> None:
    """A missing table: its path, the command that makes it, exit code 1, no traceback."""
    write(tmp_path, "returns", "cartpole", returns_table())
    done = run(tmp_path, "returns", "--agent", "cartpole", "--agent", "minatar")
    path = tmp_path / "tables" / "quick" / "minatar" / "returns.csv"
    command = "python -m analyses returns --profile quick --agent minatar"
    assert done.returncode == 1
    assert done.stderr == f"python -m figures: there is no table {path}: make it with `{command}`\n"
    assert done.stdout == ""


def test_unknown_figure(tmp_path: Path) -> None:
    """An unknown name: one line with all names."""
    done = run(tmp_path, "return")
    names = ", ".join(program.modules())
    assert done.returncode == 2
    assert done.stderr == f"python -m figures: figure 'return' is unknown: {names}\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.iloc[:0], "has no rows"),
        (lambda table: table[["seed", "policy"]], "lacks the columns step, return_mean"),
        (lambda table: table.assign(return_mean="high"), "has values that are not numbers in"),
        (lambda table: pd.concat([table, table]), "has more than one row for"),
    ],
)
def test_unsound_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str) -> None:
    """A table that cannot be drawn: one line that names it and what is wrong."""
    path = write(tmp_path, "returns", "cartpole", change(returns_table()))
    assert_refused(tmp_path, capsys, f"{path} {message}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "is no table of this study: "),
        (lambda data: data[data.index(b"seed,step") :], "is no table of this study: "),
        (lambda data: data[:-7], "was cut or altered, its digest does not match: make it again"),
        (lambda data: data.replace(b"prior,20", b"prior,30", 1), "was cut or altered, "),
        (lambda data: data.replace(b"Cart Pole", b"Card Pole", 1), "was cut or altered, "),
        (lambda data: data + b"\xff", "cannot be read as a table: "),
    ],
)
def test_damaged_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Any, message: str) -> None:
    """A file that is not what was written."""
    path = write(tmp_path, "returns", "cartpole", returns_table())
    damaged = damage(path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    assert_refused(tmp_path, capsys, f"{path} {message}")


def assert_refused(root: Path, capsys: pytest.CaptureFixture[str], says: str) -> None:
    assert main(root, "returns") == 1
    output = capsys.readouterr()
    assert output.out == "" and one_line(output.err, "python -m figures").startswith(says)
    assert not (root / "out").exists()


def test_a_folder_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures that cannot be written: one line, before anything is drawn."""
    write(tmp_path, "returns", "cartpole", returns_table())
    (tmp_path / "out").write_text("a file")
    assert main(tmp_path, "returns") == 1
    assert f"{tmp_path / 'out'}: is no folder" in one_line(capsys.readouterr().err, "python -m figures")


def test_a_notebook_s_backend_is_not_taken():
    """Jupyter hands its own on to every command that a cell starts."""
    code = "import figures.style, report.drawings, matplotlib.pyplot; print(matplotlib.get_backend().lower())"
    environment = {**os.environ, "MPLBACKEND": "module://of_a_notebook.backend"}
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, env=environment, text=True) == "agg\n"
