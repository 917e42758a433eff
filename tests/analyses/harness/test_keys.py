"""Does an edit measure anew what it may change, and nothing else?"""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import llvmlite.binding as llvm
import pytest

import analyses
from analyses.harness import keys
from analyses.harness.checkpoints import Checkpoints
from muzero_probe import engine
from tests.analyses.harness.keyed import named
from tests.analyses.studies import NAMES
from tests.test_imports import SOURCES, closure

ROOT = Path(analyses.__file__).parents[1]
ALL = {"banks", *NAMES, "planning once"}
OF_BANKS = {"banks", "own_policy", "sequences", "cross_checkpoint", "prior_effect", "search_tree"}
CODE, COMMENT = "\nEDITED = 1\n", "\n# another line\n"

ADAPTER = '''"""An agent of somebody's own."""
import numpy as np
from mine import VALUE
from muzero_probe import FunctionModel, ProbedAgent
from muzero_probe.envs.planted import TabularEnvironment

def load():
    """One model of three states."""
    def initial(observations):
        return observations, np.full(len(observations), VALUE), np.zeros((len(observations), 2))

    def recurrent(states, actions):
        return states, np.ones(len(states)), *initial(states)[1:]

    env = TabularEnvironment([[1, 2], [2, 0], [0, 1]], [[1, 0], [0, 1], [1, 1]], [False] * 3, time_limit=5)
    model = FunctionModel(initial, recurrent, num_actions=2)
    return ProbedAgent(name="mine", title="Mine", environment=env, models={0: model}, discount=0.9)
'''


class Copy:
    """A copy of the code, and a process that names units by it."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process

    def names(self) -> dict[str, dict[str, str]]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    @contextlib.contextmanager
    def edited(self, file: str, old: str, new: str) -> Iterator[None]:
        """With another text in place of an old one, which may be empty: at the end, or of a new file."""
        path = self.folder / file
        before = path.read_text() if path.exists() else None
        assert not old or (before and before.count(old) == 1)
        path.write_text(before.replace(old, new) if before and old else (before or "") + new)
        try:
            yield
        finally:
            path.unlink() if before is None else path.write_text(before)

    def touched(self, file: str, old: str = "", new: str = CODE) -> dict[str, set[str]]:
        """By population, the units that an edit measures anew."""
        before = self.names()
        with self.edited(file, old, new):
            after = self.names()
        return {name: {key for key in units if units[key] != after[name][key]} for name, units in before.items()}


@pytest.fixture(scope="module")
def copy(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("copy")
    for package in ("analyses", "muzero_probe"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("tables", "__pycache__"))
    shutil.copy(Path(__file__).with_name("keyed.py"), folder)
    (folder / "adapter.py").write_text(ADAPTER)
    (folder / "mine.py").write_text("VALUE = 0.5\n")
    command = [sys.executable, "keyed.py", str(tiny_root)]
    with subprocess.Popen(command, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Copy(folder, process)


def test_names_are_those_of_units_that_differ(copy: Copy):
    names = copy.names()
    assert names == copy.names()
    for of_population in names.values():
        assert of_population.keys() == ALL
        assert len({name.rpartition("_")[2] for name in of_population.values()}) == len(ALL)


@pytest.mark.parametrize(
    ("file", "of_toolkit", "of_adapter"),
    [
        # what a question is measured with, whoever is asked
        ("analyses/planning.py", {"planning", "planning once"}, {"planning", "planning once"}),
        ("analyses/own_policy.py", {"own_policy", "cross_checkpoint"}, {"own_policy", "cross_checkpoint"}),
        ("muzero_probe/probes/prior_effect.py", {"prior_effect"}, {"prior_effect"}),
        ("muzero_probe/probes/search_tree.py", {"search_tree"}, {"search_tree"}),
        ("muzero_probe/probes/sequences.py", {"sequences"}, {"sequences"}),
        ("analyses/harness/banks.py", OF_BANKS, OF_BANKS),
        ("analyses/harness/agents.py", ALL, ALL),
        ("muzero_probe/search/tree.py", ALL, ALL),
        ("muzero_probe/models/contract.py", ALL, ALL),
        # who is asked
        ("muzero_probe/envs/cartpole.py", ALL, set()),
        ("muzero_probe/nets/mlp.py", ALL, set()),
        ("muzero_probe/models/learned.py", ALL, set()),
        ("muzero_probe/cpu/inference.py", ALL, set()),
        ("muzero_probe/envs/planted.py", set(), ALL),
        ("muzero_probe/models/functions.py", set(), ALL),
        ("adapter.py", set(), ALL),
        ("mine.py", set(), ALL),
    ],
)
def test_an_edit_makes_anew_what_it_may_change(copy: Copy, file: str, of_toolkit: set[str], of_adapter: set[str]):
    assert copy.touched(file) == {"toolkit": of_toolkit, "adapter": of_adapter}
    assert copy.touched(file, new=COMMENT) == {"toolkit": set(), "adapter": set()}


@pytest.mark.parametrize(
    "file",
    [
        # new files
        "muzero_probe/envs/acrobot.py",
        "muzero_probe/agents/x.py",
        "muzero_probe/probes/new.py",
        "analyses/new.py",
        # of no question: training, files, messages, pictures, values that count by themselves
        "muzero_probe/agents/cartpole.py",
        "muzero_probe/envs/minatar.py",
        "muzero_probe/envs/drawing.py",
        "muzero_probe/training/learner.py",
        "muzero_probe/cpu/updates.py",
        "muzero_probe/cli/main.py",
        "muzero_probe/checkpoints.py",
        "muzero_probe/config.py",
        "muzero_probe/provenance.py",
        "analyses/tables.py",
        "analyses/stats.py",
        "analyses/claims/verdicts.py",
        "analyses/harness/settings.py",
        "analyses/harness/study.py",
        "analyses/harness/units.py",
    ],
)
def test_an_edit_makes_nothing_anew_that_it_cannot_change(copy: Copy, file: str):
    assert copy.touched(file) == {"toolkit": set(), "adapter": set()}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("muzero_probe/envs/cartpole.py", '"""', '"""Mended. '),  # of the module
        ("muzero_probe/search/policies.py", '"""Returns pi_MuZero of visits', '"""Returns eq 2 of visits'),
        ("muzero_probe/models/contract.py", '"""A model\'s answer is not', '"""An answer is not'),  # of a class
        ("analyses/planning.py", '    """Episodes per seed and planner."""\n', '    """Episodes."""\n'),  # of a field
        ("analyses/planning.py", '    """Episodes per seed and planner."""\n', ""),
        ("analyses/sequences.py", "MOST = 256  #", "\n\nMOST  =  (256)  # more\n#"),
        ("adapter.py", '    """One model of three states."""\n', "    # one model of three states\n"),
    ],
)
def test_words_and_layout_make_nothing_anew(copy: Copy, file: str, old: str, new: str):
    text = (copy.folder / file).read_text()
    first = text.index(old)
    assert copy.touched(file, text[first:], text[first:].replace(old, new, 1)) == {"toolkit": set(), "adapter": set()}


@pytest.mark.parametrize("name", ["harness.banks", *NAMES])
def test_all_code_that_measures_counts(name: str):
    """Whatever a question imports, but for what cannot change a number."""
    module = f"analyses.{name}"
    assert keys.reached([module]) == {other for other in closure(module) if other in SOURCES} - set(keys.NOT_MEASURING)
    assert {"muzero_probe.models.contract", "analyses.harness.agents", module} <= keys.reached([module])


def test_every_module_that_counts_is_read(copy: Copy, tiny: Checkpoints):
    reached = keys.reached(["analyses.own_policy", *tiny.sources()])
    assert len(reached) > 25
    for module in reached:
        file = SOURCES[module].relative_to(ROOT)
        assert "own_policy" in copy.touched(str(file))["toolkit"], module


def test_relative_imports_of_a_user_s_package_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = {
        "__init__": "", "adapter": "from .nets import f\nfrom . import more, other", "nets": "from .deep.g import g",
        "other": "", "deep/__init__": "", "deep/g": "from ..above import h\nfrom .. import adapter", "above": "",
        "apart": "", "more": "",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "package_of_keys" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = keys.reached(["package_of_keys.adapter"])
    assert found == {f"package_of_keys.{name}" for name in ("adapter", "nets", "more", "other", "deep.g", "above")}


# Beside the code


def test_versions_of_packages_count(tiny: Checkpoints, monkeypatch: pytest.MonkeyPatch):
    before = named(tiny)
    there = keys.versions()
    assert {"numpy", "numba", "torch", "gymnasium"} <= there.keys() <= set(keys.PACKAGES)
    monkeypatch.setattr(keys, "versions", lambda: there | {"numpy": "1.0"})
    after = named(tiny)
    assert all(before[name] != after[name] for name in ALL)


def test_the_device_counts_and_the_processor_where_torch_computes(tiny: Checkpoints, monkeypatch: pytest.MonkeyPatch):
    compiled, torch = named(tiny), named(tiny, "cuda")
    assert all(compiled[name] != torch[name] for name in ALL)
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: "another")
    assert named(tiny) == compiled
    assert all(named(tiny, "cuda")[name] != torch[name] for name in ALL)
    monkeypatch.setattr(engine, "compiles", lambda *given: False)  # of other nets
    assert all(len({of[name] for of in (compiled, named(tiny), named(tiny, "cuda"))}) == 3 for name in ALL)
