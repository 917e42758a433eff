"""Is every wrong `python -m analyses` refused in one line, before anything is measured?"""

from pathlib import Path

import pytest

from analyses import __main__ as program
from tests.refused import HUGE, LONG, furnish, refused

TINY = Path(__file__).parents[2] / "checkpoints" / "tiny"
NUMBER = "invalid literal for int()"
ONES = [
    "bank.episodes", "bank.states", "returns.episodes", "own-policy.states", "sequences.states", "sequences.length",
    "cross-checkpoint.states", "prior-effect.states", "prior-effect.horizon", "planning.episodes", "planning.horizon",
    "search-tree.states", "search-tree.candidates", "search-tree.horizon", "shard", "jobs",
]  # fmt: skip
ANY = ["planning.seeds", "search-tree.seeds", "own-policy.samples", "cross-checkpoint.samples"]

WRONG: list[tuple[str, int, str]] = [
    *((f"--{name} 0", 2, "at least 1 is needed") for name in ONES),
    *((f"--{name} -3", 2, "at least 1 is needed") for name in ONES),
    *((f"--{name} {HUGE}", 2, "at most ") for name in ONES),
    *((f"--{name} ٣", 2, "digits 0 to 9") for name in ONES),
    *((f"--{name} {HUGE}", 2, "at most 100,000") for name in ANY),
    *((f"--{name} -1", 2, "it must be 0 ") for name in ANY),
    *((f"--{name} 1.5", 2, NUMBER) for name in ANY),
    (f"--planning.budgets 4 {HUGE}", 2, "none below 1 or above 100,000"),
    ("--planning.budgets 0 4", 2, "none below 1 or above 100,000"),
    ("--planning.budgets 4 4", 2, "ascending"),
    (f"--prior-effect.budgets {HUGE}", 2, "none below 1 or above 100,000"),
    ("--planning.steps -1 20", 2, "none below 0 or above 1,000,000,000"),
    (f"--sequences.steps {HUGE}", 2, "none below 0 or above 1,000,000,000"),
    ("--sequences.steps 20 30", 1, "which has [0, 20, 60]"),
    ("--prior-effect.step 7", 1, "which has [0, 20, 60]"),
    (f"--prior-effect.step {HUGE}", 1, "which has [0, 20, 60]"),
    ("--prior-effect.step -1", 2, "it must be 0 or more"),
    ("--search-tree.step -1", 2, "it must be 0 or more"),
    ("--search-tree.step 61", 1, "which has [0, 20, 60]"),
    ("--search-tree.states 9 --search-tree.candidates 3", 2, "no more trees are kept than states are searched"),
    ("--planning.rules gumbel", 2, "there are muzero, efficientzero"),
    ("--prior-effect.rules muzero x", 2, "there are muzero, efficientzero"),
    ("--sequences.length 40", 1, "at most 16 is possible with 2 actions"),
    ("--sequences.length 17", 1, "at most 16 is possible with 2 actions"),
    ("sequences --sequences.length 40", 1, "at most 16 is possible with 2 actions"),
    ("--seeds 0:1000000", 2, "at most 1,000"),
    ("--seeds ٣", 2, "digits 0 to 9"),
    ("--seeds 0:٣", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--seeds ''", 2, "--seeds is empty"),
    (f"--seeds {HUGE}", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--seeds 0:9", 1, "--seeds 2:9"),
    ("--seeds 7", 1, "no checkpoints of seeds 7"),
    ("--device cpu:3", 2, "allowed are cpu, cuda and cuda:0"),
    (f"--device cuda:{HUGE}", 2, "allowed are cpu, cuda and cuda:0"),
    ("--device ''", 2, "--device is empty"),
    ("--root ''", 2, "--root is empty"),
    ("--root none", 1, "no checkpoints; make them with"),
    ("--root file", 1, "no checkpoints; make them with"),
    (f"--root {LONG}", 1, "File name too long"),
    ("--tables ''", 2, "--tables is empty"),
    ("--tables file", 1, "file: is no folder"),
    ("--tables file/below", 1, "file: is no folder"),
    ("--tables pipe", 1, "pipe: is no folder"),
    (f"--tables {LONG}", 1, "File name too long"),
    ("--units ''", 2, "--units is empty"),
    ("--units file", 1, "file: is no folder"),
    ("--units pipe", 1, "pipe: is no folder"),
    (f"--units {LONG}", 1, "File name too long"),
    ("--agent ''", 2, "--agent is empty"),
    (f"--agent {LONG}", 2, "is unknown: breakout, cartpole"),
    ("--agent pipe.py", 2, "pipe.py: there is no such file"),
    ("--agent folder.py", 2, "folder.py: there is no such file"),
    ("--agent broken.py", 2, "running it failed: RuntimeError: two lines"),
    ("--agent number.py", 2, "AGENT must be an Agent"),
    ("--agent 'my agent.py'", 2, "cannot be the name of an agent"),
    ("--agent pipe.py:load", 2, "pipe.py: there is no such file"),
    ("--agent none.py:load", 2, "none.py: there is no such file"),
    ("--agent folder.py:load", 2, "folder.py: there is no such file"),
    ("--agent broken.py:load", 2, "running it failed: RuntimeError: two lines"),
    ("--agent leaves.py:load", 2, "running it failed: SystemExit: 0"),
    ("--agent unclosed.py:load", 2, "running it failed: SyntaxError"),
    ("--agent nothing.py:load", 2, "has no function 'load', which should return a ProbedAgent"),
    ("--agent number.py:AGENT", 2, "has no function 'AGENT', which should return a ProbedAgent"),
    ("--agent number.py:", 2, "has no function '', which should return a ProbedAgent"),
    ("--agent no_such_module:load", 2, "running it failed: ModuleNotFoundError"),
    ("--agent :load", 2, "running it failed"),
    ("--agent math:pi", 2, "has no function 'pi', which should return a ProbedAgent"),
    ("--agent os:getcwd", 2, "returns a str, a muzero_probe.ProbedAgent is needed"),
    ("--agent sys:exit", 2, "running it failed: SystemExit"),
    ("--profile nope", 2, "is unknown for cartpole: smoke, quick, paper"),
    ("--profile ''", 2, "--profile is empty"),
    ("Returns", 2, "is unknown: returns, own_policy"),
    ("returns ''", 2, "a word is empty"),
    (LONG, 2, "is unknown: returns, own_policy"),
    ("--banks.states 3", 2, "perhaps you meant --bank.states"),
    ("--bank 3", 2, "Unrecognized options: --bank"),
    ("--jobs", 2, "Missing value for argument '--jobs'"),
]


@pytest.mark.parametrize(("words", "code", "says"), WRONG)
def test_it_is_refused(
    words: str,
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(furnish(tmp_path))
    usual = {"--profile": "smoke", "--root": str(TINY), "--jobs": "1"}
    given = [part for name, value in usual.items() if name not in words.split() for part in (name, value)]
    found, said = refused(program.main, "python -m analyses", f"{words} {' '.join(given)}", tmp_path, capsys)
    assert (says in said, found) == (True, code), said
