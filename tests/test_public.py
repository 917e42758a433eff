"""Is what `muzero_probe` offers there, under its own name, whatever was imported before?"""

import ast
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import muzero_probe

FOLDER = Path(muzero_probe.__file__).parent
STUB = ast.parse((FOLDER / "__init__.pyi").read_text())
# name -> module that it is imported from
LISTED = {
    alias.name: f"muzero_probe.{node.module}"
    for node in STUB.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}


def test_the_names_are_those_of_the_stub():
    (written,) = (
        node.value for node in STUB.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    names = ast.literal_eval(written)
    assert names == sorted(set(names))
    assert LISTED.keys() == set(names)
    assert muzero_probe.__all__ == names
    assert dir(muzero_probe) == names


@pytest.mark.parametrize("name", muzero_probe.__all__)
def test_a_name_is_what_its_module_has(name: str):
    found = getattr(muzero_probe, name)
    assert found is getattr(sys.modules[LISTED[name]], name)
    assert inspect.isclass(found) or inspect.isfunction(found)
    assert pydoc.getdoc(found)


def test_an_unknown_name_is_none():
    with pytest.raises(AttributeError, match="Searcher"):
        muzero_probe.Searcher  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "before", ["", "import muzero_probe.search.mcts", "from muzero_probe import RolloutLeaf, play"]
)
def test_the_search_is_no_package(before: str):
    """It is called as the folder of its module is."""
    code = f"{before}\nfrom muzero_probe import search\nfrom muzero_probe import search as again, search_policies\n"
    code += "assert search is again and callable(search), search\nprint(search.__module__)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "muzero_probe.search.mcts\n"
