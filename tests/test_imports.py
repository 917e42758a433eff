"""Do imports run one way?

    config, targets <- envs, nets, search.tree <- cpu <- models <- search <- training, probes <- analyses

Figures import only the tables' statistics and their style, and no torch; analyses import nothing of training.
"""

import ast
from pathlib import Path

import pytest

import muzero_probe

ROOT = Path(muzero_probe.__file__).parents[1]
# a module imports from its own layer or from a lower one
LAYERS = {
    "compiled": 0,
    "config": 0,
    "targets": 0,
    "randomness": 0,
    "threads": 0,
    "exact": 0,
    "envs": 1,
    "nets": 2,
    "search.tree": 2,
    "cpu": 3,
    "models": 4,
    "search": 5,
    "training": 6,
    "probes": 6,
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path for top in ("muzero_probe", "analyses", "figures") for path in (ROOT / top).rglob("*.py")
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
    part = rest if rest in LAYERS else rest.split(".")[0]
    return part if top == "muzero_probe" and part in LAYERS else None


def below(module: str, top: str) -> bool:
    return module == top or module.startswith(f"{top}.")


def in_package(top: str) -> list[str]:
    return sorted(module for module in SOURCES if below(module, top))


def test_the_walk_sees_imports():
    assert "muzero_probe.search.tree" in imports("muzero_probe.search.mcts")  # from package import module
    assert "muzero_probe.models" in imports("muzero_probe.search.mcts")  # from module import name
    assert "torch" in imports("muzero_probe.threads")  # inside of a function
    assert "muzero_probe.cpu.inference" in closure("muzero_probe.search.mcts")


@pytest.mark.parametrize("module", [module for module in sorted(SOURCES) if layer(module)])
def test_layers_import_downwards(module: str):
    own = layer(module)
    assert own is not None
    for name in imports(module):
        if name.split(".")[0] not in ("muzero_probe", "analyses", "figures"):
            continue
        other = layer(name)
        assert other is not None, f"{module} imports {name}, which is no layer below it"
        assert LAYERS[other] < LAYERS[own] or other == own or LAYERS[own] == 0 == LAYERS[other], (
            f"{module} imports {name}"
        )


@pytest.mark.parametrize("module", in_package("analyses"))
def test_analyses_import_nothing_of_training_or_figures(module: str):
    reached = {name for name in closure(module) if below(name, "muzero_probe.training") or below(name, "figures")}
    assert not reached


@pytest.mark.parametrize("module", in_package("figures"))
def test_figures_import_statistics_and_style_alone(module: str):
    inside = {name for name in imports(module) if name.split(".")[0] in ("muzero_probe", "analyses")}
    assert inside <= {"analyses.stats"}
    assert not {name for name in closure(module) if below(name, "torch") or below(name, "muzero_probe")}
