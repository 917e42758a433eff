"""Wrong commands: what people mistype, and what programs write. `{x}` stands for a place, see `places`."""
# ruff: noqa: E501

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from analyses import __main__ as analyses
from analyses.claims import __main__ as claims
from figures import __main__ as figures
from muzero_probe import checkpoints
from muzero_probe.cli import main as muzero_probe
from report import __main__ as report

TINY = Path(checkpoints.__file__).parents[1] / "checkpoints" / "tiny"
PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "muzero-probe": muzero_probe.main,
    "analyses": analyses.main,
    "claims": claims.main,
    "figures": figures.main,
    "report": report.main,
}
HUGE = "123456789012345678901234567890"
LONG = "x" * 5_000

TRAIN = "train cartpole --profile smoke --root {root}"
PLAY = "play cartpole --profile smoke --root {tiny}"
STATUS = "status --root {tiny}"
MEASURE = "own_policy --profile smoke --root {tiny} --tables {out}/tables --units {out}/units --jobs 1"
READ = "--profile smoke --tables {out}/tables"

WORDS: dict[str, list[str]] = {
    "muzero-probe": [
        "", "  ", "-", "--", "--verbose", "TRAIN cartpole", "train", "train train", "train cartpole cartpole", "retrain cartpole",
        "train {file}", "train {tiny}", "train {missing}.py", "train {empty}.py", "train {broken}.py", "train {pipe}",
        "train --agent", "train --agent=", "train ''", "train CartPole", "train cart\npole", f"train {LONG}", "train ../cartpole",
        # profiles
        "train cartpole --profile", "train cartpole --profile ''", "train cartpole --profile 'a b'",
        "train cartpole --profile ..", f"train cartpole --profile {LONG}", "train cartpole --profile ümlaut",
        # seeds
        *(f"{TRAIN} --seeds {text}" for text in (
            "", "''", "-1", "1:", ":3", "3:1", "0:0", "0,0", "0:3,2", "a", "1.5", "0:1000000", "1000000", HUGE, f"0:{HUGE}", "٣", "0:٣",
            "'1\n'", "０:２", "0-3", "0;3", "1,,2", "0:3:2", "[0,1]", "1e3", "0:20000",
        )),
        # whole numbers
        *(f"{TRAIN} {option} {value}" for option in (
            "--training.steps", "--training.batch-size", "--training.environments", "--training.replay-slots",
            "--training.unroll-steps", "--training.n-step", "--search.simulations", "--nets.latent", "--nets.hidden",
        ) for value in ("0", "-3", HUGE, "1.5", "nan", "three", "2147483648", "''")),
        *(f"{TRAIN} --metrics-every {value}" for value in ("0", "-1", "x", "٣", "123456789012345678")),
        f"{TRAIN} --search.discount 1", f"{TRAIN} --training.batch-size ٣", f"{TRAIN} --training.learning-rate ٠.١",
        # numbers
        *(f"{TRAIN} --training.learning-rate {value}" for value in ("0", "-1", "1e308", "nan", "inf", "-inf", "1e20", "x", "1,5")),
        *(f"{TRAIN} --training.updates-per-environment-step {value}" for value in ("0", "-1", "1e-300", "nan", "inf", "1e300")),
        *(f"{TRAIN} --search.discount {value}" for value in ("0", "-0.1", "1.0001", "nan", "inf")),
        *(f"{TRAIN} --search.c1 {value}" for value in ("-5", "nan", "inf")),
        *(f"{TRAIN} --training.temperature-changes {value}" for value in ("-5 7", "0.5", "0.75 0.5", "nan 0.5", "")),
        f"{TRAIN} --training.temperatures 0 0 0", f"{TRAIN} --training.temperatures nan 1 1",
        f"{TRAIN} --training.value-weight 1e38", f"{TRAIN} --training.value-weight -1", f"{TRAIN} --training.priority-alpha nan",
        f"{TRAIN} --nets.value-low nan", f"{TRAIN} --nets.value-high -50", f"{TRAIN} --nets.value-high 1e9",
        f"{TRAIN} --training.checkpoints -1 5", f"{TRAIN} --training.checkpoints 5 5", f"{TRAIN} --training.checkpoints {HUGE}",
        f"{TRAIN} --resume-minutes -1", f"{TRAIN} --resume-minutes inf", f"{TRAIN} --resume-minutes x",
        f"{TRAIN} --device", f"{TRAIN} --device tpu", f"{TRAIN} --device cuda:99", f"{TRAIN} --device 'cpu:1'", f"{TRAIN} --device ''",
        f"{TRAIN} --training", f"{TRAIN} --training.no-such 3", f"{TRAIN} --search.simulations", f"{TRAIN} --nets.layers 3",
        # places
        "train cartpole --profile smoke --root", "train cartpole --profile smoke --root ''", "train cartpole --profile smoke --root {file}",
        "train cartpole --profile smoke --root {pipe}", "train cartpole --profile smoke --root {file}/below",
        f"train cartpole --profile smoke --root {{root}}/{LONG}", "train cartpole --profile smoke --root /dev/null",
        "train cartpole --profile smoke --root /proc/none",
        # play
        f"{PLAY} --seed 99", f"{PLAY} --seed -1", f"{PLAY} --seed {HUGE}", f"{PLAY} --step 7", f"{PLAY} --step -1", f"{PLAY} --episodes 0",
        f"{PLAY} --episodes {HUGE}", f"{PLAY} --episodes -2", f"{PLAY} --policy ''", f"{PLAY} --policy greedy", f"{PLAY} --out {{out}}/x.mp4",
        f"{PLAY} --out {{missing}}/x.gif", f"{PLAY} --out {{root}}.gif/x.gif", f"{PLAY} --out ''", f"{PLAY} --out {{folder}}.gif",
        "play cartpole --profile smoke --root {missing}", "play cartpole --profile smoke --root ''", "play cartpole --profile paper --root {tiny}",
        "play minatar --profile smoke --root {tiny}", "play cartpole --profile smoke --root {damaged}", "play cartpole --profile smoke --root {pipes}",
        # status, agents
        "status --root {missing}", "status --root ''", "status --root {file}", f"{STATUS} --profile ''", f"{STATUS} --profile ../..",
        f"{STATUS} --profile .hidden", f"{STATUS} --profile 'a\nb'", f"{STATUS} --agent ''", f"{STATUS} --agent 'a b'",
        f"{STATUS} --agent {LONG}", f"{STATUS} --seeds x", f"{STATUS} --seeds 0:9999999", f"{STATUS} more", "status --root",
        "agents cartpole", "agents --root {tiny}", "agents --profile smoke",
    ],
    "analyses": [
        "no_such", "''", "own_policy own-policy", "--agent", "--agent ''", "--agent no_such", "--agent {missing}.py", "--agent {broken}.py",
        "--agent {file}:load", "--agent no.such.module:load", "--agent os:no_such", "--agent os:getcwd", "--agent :load", "--agent os:",
        f"--agent {LONG}", "--agent 'a b'", "--profile smoke --agent cartpole --root {missing}", f"{MEASURE} --root ''",
        f"{MEASURE} --root {{file}}", f"{MEASURE} --profile nope", f"{MEASURE} --profile ''", f"{MEASURE} --profile ..",
        *(f"{MEASURE} --seeds {text}" for text in ("''", "9", "0:4", "x", "2:1", HUGE)),
        *(f"{MEASURE} --jobs {text}" for text in ("0", "-1", HUGE, "x", "1.5")),
        f"{MEASURE} --device gpu", f"{MEASURE} --device cuda:77", f"{MEASURE} --device ''",
        f"{MEASURE} --tables {{file}}", f"{MEASURE} --units {{file}}", f"{MEASURE} --tables ''", f"{MEASURE} --units ''", f"{MEASURE} --tables",
        f"{MEASURE} --own-policy.states 0", f"{MEASURE} --own-policy.states -4", f"{MEASURE} --own-policy.states {HUGE}",
        f"{MEASURE} --own-policy.states x", f"{MEASURE} --shard 0", f"{MEASURE} --shard -2", f"{MEASURE} --bank.episodes 0",
        f"{MEASURE} --bank.states 0", f"{MEASURE} --bank.states {HUGE}",
        f"sequences {MEASURE} --sequences.length 40", f"sequences {MEASURE} --sequences.length 0", f"sequences {MEASURE} --sequences.steps 7",
        f"sequences {MEASURE} --sequences.steps -1", f"prior_effect {MEASURE} --prior-effect.budgets 0", f"planning {MEASURE} --planning.horizon 0",
        f"planning {MEASURE} --planning.budgets {HUGE}", f"planning {MEASURE} --planning.episodes 0", f"planning {MEASURE} --planning.rules nope",
        f"planning {MEASURE} --planning.horizon {HUGE}", f"prior_effect {MEASURE} --prior-effect.step 13", f"{MEASURE} --nope 3",
    ],
    "claims": [
        "no_such", "--profile", "--profile ''", "--profile nope", f"--profile {LONG}", "--profile ..", "--agent", "--agent nope",
        "--agent ''", "--agent 'a b'", "--tables", "--tables ''", "--tables {missing}", "--tables {file}", f"{READ} --agent quick/",
        "--out x", "--help-me", f"{READ}", f"{READ} --agent ../x", "--tables {torn} --profile smoke",
    ],
    "figures": [
        "no_such", "returns returns.png", "--profile", "--profile ''", "--profile nope", f"--profile {LONG}", "--agent", "--agent nope",
        "--agent ''", "--tables", "--tables ''", "--tables {missing}", "--tables {file}", f"{READ} --out {{file}}", "--out",
        "returns --tables {torn} --profile smoke", f"returns {READ} --agent a/b/c", "--dpi 300", "--profile 'a\nb'",
    ],
    "report": [
        "no_such", "--profile", "--profile ''", "--profile nope", f"--profile {LONG}", "--agent", "--agent nope", "--agent ''",
        "--tables", "--tables ''", "--tables {missing}", "--tables {file}", f"{READ} --out {{file}}/x.html", "--gif nothing",
        "--gif cartpole=", f"{READ} --gif a=b", "--tables {torn} --profile smoke", "--out", "--markdown maybe", "--pdf",
    ],
}  # fmt: skip


def places(folder: Path) -> dict[str, str]:
    """Makes files and folders that commands find, and returns them by name."""
    root = folder / "there"
    root.mkdir()
    (root / "file").write_text("")
    (root / "empty.py").write_text("")
    (root / "broken.py").write_text("def agent(:\n")
    (root / "folder.gif").mkdir()
    os.mkfifo(root / "pipe")
    shutil.copytree(TINY, root / "damaged")
    shutil.copytree(TINY, root / "pipes")
    for path in (root / "damaged").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-9])
    for path in (root / "pipes").rglob("*.safetensors"):
        path.unlink()
        os.mkfifo(path)
    torn = root / "torn" / "smoke" / "cartpole" / "returns.csv"
    torn.parent.mkdir(parents=True)
    torn.write_text('# analysis: "returns"\n# dig')
    names = ("file", "empty", "broken", "missing", "pipe", "folder", "damaged", "pipes", "torn")
    return {name: str(root / name) for name in names} | {
        "tiny": str(TINY), "root": str(folder / "new"), "out": str(folder / "out"),
    }  # fmt: skip
