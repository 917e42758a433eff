"""What does a measurement depend on? The code that it reaches, without comments and docstrings, among other things.

Adding an environment or mending a docstring measures nothing anew; changing a probe does, and so does changing an
adapter of somebody's agents.
"""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

# files, messages, pictures and values: none of these can change a number, but for values, which count by themselves
NOT_MEASURING = (
    "analyses.harness.settings", "analyses.tables", "muzero_probe.arrays", "muzero_probe.compiled",
    "muzero_probe.config", "muzero_probe.envs.drawing", "muzero_probe.files", "muzero_probe.provenance",
    "baselines.hyperparameters",
)  # fmt: skip
# whose numbers or dynamics go into a measurement; `provenance.versions` names all that is installed for a run
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "gymnasium", "ale-py", "box2d", "minatar", "opencv-python-headless")

INSTALLED = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def source_hash(modules: Iterable[str]) -> str:
    """Returns the hash of the code that modules reach by their imports, as far as it is of a checkout or a user."""
    digest = hashlib.sha256()
    for name in sorted(reached(modules)):
        path = _file(name)
        assert path is not None
        digest.update(f"{name}\0{_code(path, path.stat().st_mtime_ns)}\0".encode())
    return digest.hexdigest()


def reached(modules: Iterable[str]) -> set[str]:
    """Returns the names of modules, and of all that they import, at their top or inside of functions."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name in NOT_MEASURING or (path := _file(name)) is None:
            continue
        found.add(name)
        waiting += _imports(name, path, path.stat().st_mtime_ns)
    return found


def versions() -> dict[str, str]:
    """Returns the versions of the packages that numbers depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def _file(name: str) -> Path | None:
    """Returns the source of a module; None for what is installed, compiled or no module."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec else None
    if not origin or not origin.endswith(".py"):
        return None
    path = Path(origin).resolve()
    ours = name.partition(".")[0] in ("muzero_probe", "analyses")
    return path if ours or not any(path.is_relative_to(folder) for folder in INSTALLED) else None


@cache
def _code(path: Path, changed: int) -> str:
    """Returns the code of a file without comments, docstrings and layout."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        # a text that stands by itself does nothing, be it a function's or a field's
        if isinstance(body, list):
            texts = [s for s in body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)]
            node.body = [statement for statement in body if statement not in texts] or [ast.Pass()]  # pyright: ignore
    return ast.dump(tree)


@cache
def _imports(module: str, path: Path, changed: int) -> tuple[str, ...]:
    """Returns the names of the modules that a module's file imports."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            whole = ".".join([*above, *([node.module] if node.module else [])])
            # a name may be a module; where one is not, the package itself is meant
            names = [f"{whole}.{alias.name}" for alias in node.names]
            modules = [name for name in names if _file(name)]
            found += modules
            if len(modules) < len(names):
                found.append(whole)
    return tuple(found)
