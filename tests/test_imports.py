"""Do imports run one way?

    config, targets <- envs <- nets, search.tree <- models <- search <- training.learner <- cpu <- engine
    engine <- training, probes <- analyses;  training <- runs <- cli;  probes <- diagnosis <- cli
    nets <- agents <- probed, runs, cli, analyses

Figures import only the tables, their statistics and the command line's words; the report imports figures and claims.
Neither reaches torch or numba. Analyses import nothing of training's loop. Nobody imports baselines, which import the
analyses' harness and nothing of MuZero's training.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import muzero_probe

ROOT = Path(muzero_probe.__file__).parents[1]
# a module imports from its own part or from one of a lower layer; the longest name that fits is a module's part
LAYERS = {
    "cli.seeds": 0,
    "arrays": 0,
    "compiled": 0,
    "config": 0,
    "door": 0,
    "exact": 0,
    "files": 0,
    "provenance": 0,
    "randomness": 0,
    "targets": 0,
    "threads": 0,
    "training.batch": 0,
    "checkpoints": 1,
    "cli.arguments": 1,
    "cli.start": 0,
    "envs": 1,
    "search.rules": 1,
    "nets": 2,
    "shipped": 2,
    "search.tree": 2,
    "agents": 3,
    "search.compiled": 3,
    "models": 4,
    "probed": 5,
    "search": 5,
    "training.learner": 6,
    "cpu": 7,
    "engine": 8,
    "probes": 9,
    "training": 9,
    "diagnosis": 10,
    "runs": 10,
    "cli": 11,
}
WITHOUT_TORCH = {
    "muzero_probe.cli.arguments",
    "muzero_probe.cli.start",
    "muzero_probe.files",
}  # what figures take of the library


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path
    for top in ("muzero_probe", "analyses", "baselines", "figures", "report")
    for path in (ROOT / top).rglob("*.py")
}


def imports(module: str) -> set[str]:
    """Full names of everything that a module imports, at its top or inside of functions."""
    found = set()
    for node in ast.walk(ast.parse(SOURCES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else node.module for name in names}
    return found


def closure(module: str) -> set[str]:
    """Everything that is imported when a module is."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in SOURCES:
            waiting += imports(name)
    return seen


def layer(module: str) -> str | None:
    """The part of the library that a module belongs to, if it is one of `LAYERS`."""
    top, _, rest = module.partition(".")
    parts = [part for part in LAYERS if below(rest, part)]
    return max(parts, key=len) if top == "muzero_probe" and parts else None


def below(module: str, top: str) -> bool:
    return module == top or module.startswith(f"{top}.")


def in_package(top: str) -> list[str]:
    return sorted(module for module in SOURCES if below(module, top))


def test_the_walk_sees_imports():
    assert "muzero_probe.search.tree" in imports("muzero_probe.search.mcts")  # from package import module
    assert "muzero_probe.models.contract" in imports("muzero_probe.search.mcts")  # from module import name
    assert "torch" in imports("muzero_probe.threads")  # inside of a function
    assert "muzero_probe.cpu.inference" in closure("muzero_probe.training.trainer")


def test_every_module_has_its_layer():
    assert {module for module in in_package("muzero_probe") if not layer(module)} == {"muzero_probe"}


def test_every_layer_has_a_module():
    assert {layer(module) for module in in_package("muzero_probe")} == {*LAYERS, None}


def test_who_knows_agents():
    knowing = {module for module in SOURCES if any(below(name, "muzero_probe.agents") for name in imports(module))}
    others = {layer(module) for module in knowing if below(module, "muzero_probe")} - {"agents"}
    assert others == {"runs", "cli", "probed"}
    assert not {module for module in knowing if below(module, "figures") or below(module, "report")}


def test_only_the_twin_s_room_knows_which_nets_it_computes():
    for module in in_package("muzero_probe"):
        if below(module, "muzero_probe.cpu") or module == "muzero_probe.engine":
            continue
        assert not {name for name in imports(module) if below(name, "muzero_probe.cpu")}, module


@pytest.mark.parametrize("module", [module for module in sorted(SOURCES) if layer(module)])
def test_layers_import_downwards(module: str):
    own = layer(module)
    assert own is not None
    for name in imports(module):
        if name.split(".")[0] not in ("muzero_probe", "analyses", "figures", "report"):
            continue
        other = layer(name)
        assert other is not None, f"{module} imports {name}, which is no layer below it"
        assert LAYERS[other] < LAYERS[own] or other == own or LAYERS[own] == 0 == LAYERS[other], (
            f"{module} imports {name}"
        )


@pytest.mark.parametrize("module", in_package("analyses"))
def test_analyses_import_nothing_of_training_or_figures(module: str):
    apart = {"muzero_probe.training", "muzero_probe.training.batch", "muzero_probe.training.learner"}  # of the engine
    reached = {name for name in closure(module) if below(name, "muzero_probe.training") or below(name, "figures")}
    assert reached <= apart
    assert not {name for name in closure(module) if below(name, "report")}


@pytest.mark.parametrize("module", in_package("baselines"))
def test_baselines_import_nothing_of_training_or_figures(module: str):
    others = {name for name in closure(module) if name.split(".")[0] in ("figures", "report")}
    assert not others | {name for name in imports(module) if below(name, "muzero_probe.training")}


def test_nobody_imports_baselines():
    importing = {module for module in SOURCES if any(below(name, "baselines") for name in imports(module))}
    assert importing <= set(in_package("baselines"))


@pytest.mark.parametrize("module", in_package("figures"))
def test_figures_import_tables_and_style_alone(module: str):
    inside = {name for name in imports(module) if name.split(".")[0] in ("muzero_probe", "analyses")}
    assert inside <= {"analyses.stats", "analyses.tables", *WITHOUT_TORCH}
    reached = closure(module)
    assert not {name for name in reached if below(name, "torch") or below(name, "numba")}
    assert not {name for name in reached if below(name, "report")}
    assert {name for name in reached if below(name, "muzero_probe")} <= WITHOUT_TORCH


@pytest.mark.parametrize("module", in_package("report"))
def test_the_report_reaches_neither_torch_nor_numba(module: str):
    reached = closure(module)
    assert not {name for name in reached if below(name, "torch") or below(name, "numba")}
    inside = {name for name in reached if below(name, "muzero_probe")}
    assert inside <= {*WITHOUT_TORCH, "muzero_probe.provenance"}


@pytest.mark.parametrize("module", ["muzero_probe", "figures.__main__", "analyses.claims", "report.__main__"])
def test_neither_torch_nor_numba_is_loaded(module: str):
    """The packages around what is imported included."""
    code = f"import sys, {module}; print(*({{'torch', 'numba'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
