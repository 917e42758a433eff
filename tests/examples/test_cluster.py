"""Do the scripts for clusters train every seed once, and go on where they were stopped?

A stub stands for the commands that a script calls. Slurm itself is not here: what it does is that it runs a script
with `SLURM_ARRAY_TASK_ID`, sends signals, and runs it again.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muzero_probe.checkpoints import list_checkpoints, load_checkpoint
from muzero_probe.cli.seeds import parse_seeds

ROOT = Path(__file__).parents[2]
TRAIN, ANALYSES = ROOT / "examples" / "slurm" / "train.sh", ROOT / "examples" / "slurm" / "analyses.sh"
PROCESSES = ROOT / "examples" / "processes.sh"
# dies as a killed node does, with all that the task runs, once it has saved the first state
KILLED_ONCE = """
import os, signal, sys
from pathlib import Path
from muzero_probe.cli.main import main
from muzero_probe.runs import run

save, died = run.save_resume, Path("died")

def save_and_die(*args, **fields):
    save(*args, **fields)
    if not died.exists():
        died.touch()
        os.killpg(0, signal.SIGKILL)

run.save_resume = save_and_die
sys.exit(main())
"""


def stub(folder: Path, name: str, program: str) -> None:
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(program)
    path.chmod(0o755)


def started(script: Path, *words: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """The script, in a session of its own: whoever kills its group kills nobody else."""
    given = ("SLURM_", "CUDA_VISIBLE_DEVICES")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(given)}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**plain, **variables, "PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        ["bash", str(script), *words], cwd=folder, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ran(script: Path, *words: str, folder: Path, **variables: str) -> tuple[int, str, str]:
    process = started(script, *words, folder=folder, **variables)
    out, err = process.communicate()
    return process.returncode, out, err


def appear(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not appear"
        time.sleep(0.02)


@pytest.fixture
def noting(tmp_path: Path) -> Path:
    """A folder whose `muzero-probe` notes its words in a file named by its process."""
    stub(tmp_path, "muzero-probe", '#!/bin/sh\necho "$CUDA_VISIBLE_DEVICES;$*" >"said.$$"\n')
    return tmp_path


def said(folder: Path) -> list[tuple[str, list[str]]]:
    """(visible GPUs, words) of every training that was started."""
    lines = [path.read_text().strip().split(";") for path in folder.glob("said.*")]
    return sorted((gpus, words.split()) for gpus, words in lines)


def trained(folder: Path) -> list[int]:
    return sorted(seed for _, words in said(folder) for seed in parse_seeds(words[words.index("--seeds") + 1]))


@pytest.mark.parametrize(("seeds", "tasks"), [(30, 6), (30, 7), (24, 8), (1, 1), (3, 5), (10, 9)])
def test_the_tasks_of_an_array_train_every_seed_once(seeds: int, tasks: int, noting: Path):
    for task in range(tasks):
        code, out, err = ran(
            TRAIN, "breakout", "paper", str(seeds), str(tasks), "--device", "cuda", folder=noting,
            SLURM_ARRAY_TASK_ID=str(task),
        )  # fmt: skip
        assert (code, err) == (0, "")
        assert out == "" or tasks > seeds
    assert trained(noting) == list(range(seeds))
    sizes = []
    for _, words in said(noting):
        assert [*words[:4], *words[6:]] == ["train", "breakout", "--profile", "paper", "--device", "cuda"]
        sizes.append(len(parse_seeds(words[5])))
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("seeds", "processes"), [(24, 8), (30, 8), (4, 2), (3, 8), (5, 1)])
def test_the_processes_of_a_machine_train_every_seed_once_on_gpus_of_their_own(
    seeds: int, processes: int, noting: Path
):
    words = ["breakout", "paper", str(seeds), str(processes), "--device", "cuda"]
    assert ran(PROCESSES, *words, folder=noting) == (0, "", "")
    assert trained(noting) == list(range(seeds))
    gpus = [int(gpus) for gpus, _ in said(noting)]
    assert len(gpus) == len(set(gpus)) == min(seeds, processes)
    assert set(gpus) <= set(range(processes))


def test_processes_take_the_gpus_that_were_given(noting: Path):
    words = ["breakout", "paper", "3", "3", "--device", "cuda"]
    assert ran(PROCESSES, *words, folder=noting, CUDA_VISIBLE_DEVICES="5,2") == (0, "", "")
    seeds = {given[5]: gpu for gpu, given in said(noting)}
    assert seeds == {"0:1": "5", "1:2": "2", "2:3": "5"}


def test_processes_share_the_cores_and_their_trouble_is_the_scripts(tmp_path: Path):
    program = "import os, sys; open(f'cores.{os.getpid()}', 'w').write(str(os.sched_getaffinity(0)))"
    stub(tmp_path, "muzero-probe", f"#!{sys.executable}\n{program}\nsys.exit('0:2' in sys.argv)\n")
    code, _, _ = ran(PROCESSES, "cartpole", "quick", "4", "2", folder=tmp_path)
    assert code == 1  # that of the first, though the last one went well
    cores = [eval(path.read_text()) for path in tmp_path.glob("cores.*")]
    assert len(cores) == 2
    assert set.union(*cores) == os.sched_getaffinity(0) or len(os.sched_getaffinity(0)) == 1
    assert not set.intersection(*cores) or len(os.sched_getaffinity(0)) == 1


@pytest.mark.parametrize(
    ("words", "variables", "line"),
    [
        (["cartpole", "quick", "6"], {"SLURM_ARRAY_TASK_ID": "0"}, "AGENT PROFILE SEEDS TASKS are needed"),
        (["cartpole", "quick", "6", "2"], {}, "submit it with sbatch --array"),
        (["cartpole", "quick", "6", "2"], {"SLURM_ARRAY_TASK_ID": "2"}, "task 2 is not one of 2, numbered from 0"),
    ],
)
def test_what_cannot_be_split_is_one_line(words: list[str], variables: dict[str, str], line: str, noting: Path):
    code, out, err = ran(TRAIN, *words, folder=noting, **variables)
    assert code != 0 and out == ""
    assert line in err and err.count("\n") == 1
    assert said(noting) == []


def test_a_task_that_reaches_its_time_limit_is_queued_again(tmp_path: Path):
    stub(tmp_path, "muzero-probe", "#!/bin/sh\ntouch training\nexec sleep 100\n")
    stub(tmp_path, "scontrol", '#!/bin/sh\necho "$*" >queued\n')
    variables = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "77"}
    process = started(TRAIN, "cartpole", "quick", "6", "2", folder=tmp_path, **variables)
    appear(tmp_path / "training")
    process.send_signal(signal.SIGUSR1)  # to the script alone, as Slurm does with B:
    process.communicate()
    assert (tmp_path / "queued").read_text() == "requeue 77\n"


def test_a_task_that_is_told_to_end_ends_its_training_and_leaves_the_rest_to_slurm(tmp_path: Path):
    stub(tmp_path, "muzero-probe", "#!/bin/sh\necho $$ >number\nmv number training\nexec sleep 100\n")
    stub(tmp_path, "scontrol", "#!/bin/sh\ntouch queued\n")
    process = started(TRAIN, "cartpole", "quick", "6", "2", folder=tmp_path, SLURM_ARRAY_TASK_ID="0", SLURM_JOB_ID="7")
    appear(tmp_path / "training")
    process.terminate()
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "training").read_text()), 0)
    assert not (tmp_path / "queued").exists()


def test_a_task_that_was_killed_and_queued_again_comes_to_the_bits_of_one_machine(tmp_path: Path):
    stub(tmp_path, "muzero-probe", f"#!{sys.executable}\n{KILLED_ONCE}")
    words = ["cartpole", "smoke", "2", "2", "--resume-minutes", "0", "--metrics-every", "12"]

    def task(number: int) -> int:
        return ran(TRAIN, *words, folder=tmp_path, SLURM_ARRAY_TASK_ID=str(number))[0]

    assert task(0) == -signal.SIGKILL
    assert list((tmp_path / "checkpoints").rglob("state_*"))
    assert task(0) == task(1) == 0
    assert not list((tmp_path / "checkpoints").rglob("state_*"))
    # what a machine of its own leaves of both seeds
    one = [sys.executable, "-m", "muzero_probe.cli.main", "train", "cartpole", "--profile", "smoke"]
    subprocess.run([*one, "--root", str(tmp_path / "one")], cwd=ROOT, check=True, capture_output=True)

    def arrays(root: Path) -> dict[tuple[int, int], dict[str, bytes]]:
        return {
            (seed, step): {name: array.tobytes() for name, array in load_checkpoint(path).arrays.items()}
            for seed, step, path in list_checkpoints(root, "smoke", "cartpole")
        }

    assert len(arrays(tmp_path / "one")) == 6
    assert arrays(tmp_path / "checkpoints") == arrays(tmp_path / "one")


def analysed(folder: Path, measuring: str) -> tuple[int, str, str]:
    """analyses.sh with a scheduler and workers that say what they were called with, and live until they are killed."""
    say = 'echo "$0 $*" | sed "s,^[^ ]*/,," >>calls'
    wait = "exec sleep 100"
    stub(folder, "dask", f'#!/bin/bash\n{say}\n[[ $1 == scheduler ]] && echo "{{}}" >"${{@: -1}}"\n{wait}\n')
    stub(folder, "srun", f"#!/bin/bash\n{say}\n{wait}\n")
    stub(folder, "python", f"#!/bin/bash\n{say}\n{measuring}\n")
    variables = {"SLURM_JOB_ID": "9", "SLURM_CPUS_PER_TASK": "32"}
    return ran(ANALYSES, "--profile", "paper", folder=folder, **variables)


@pytest.mark.parametrize("code", [0, 1])
def test_analyses_have_a_scheduler_and_workers_of_one_thread(code: int, tmp_path: Path):
    found, _, err = analysed(tmp_path, f"exit {code}")  # returns at all: all that it started was ended
    assert (found, err) == (code, "")
    calls = sorted((tmp_path / "calls").read_text().splitlines())
    file = tmp_path / ".dask-9.json"
    assert len(calls) == 3
    assert calls[0].startswith("dask scheduler ") and calls[0].endswith(f" --scheduler-file {file}")
    assert calls[1] == f"python -m analyses --scheduler {file} --profile paper"
    assert calls[2].startswith("srun ") and f" dask worker --scheduler-file {file} " in calls[2]
    assert "--nworkers 32 --nthreads 1" in calls[2]
    assert not file.exists()


def test_analyses_without_a_scheduler_end(tmp_path: Path):
    stub(tmp_path, "dask", "#!/bin/sh\nexit 3\n")
    stub(tmp_path, "srun", "#!/bin/sh\nexec sleep 100\n")
    variables = {"SLURM_JOB_ID": "9", "SLURM_CPUS_PER_TASK": "32"}
    code, _, _ = ran(ANALYSES, folder=tmp_path, **variables)
    assert code != 0
