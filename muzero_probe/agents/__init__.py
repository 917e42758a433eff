"""Which agents are there? One file an agent defines all that is particular to it, as AGENT.

The listing of this folder is the registry. A user's own file, anywhere, is loaded by its path; it is run.
"""

import dataclasses
import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from muzero_probe import files
from muzero_probe.agents.card import SMOKE, SMOKE_ANALYSES, Agent, Profile, replace

__all__ = ["SMOKE", "SMOKE_ANALYSES", "Agent", "Profile", "load", "name_of", "names", "replace"]


def names() -> tuple[str, ...]:
    """Returns the names of the agents in this folder."""
    return tuple(name for name in files.modules(Path(__file__).parent) if name != "card")


def name_of(reference: str) -> str:
    """Returns the name of the agent that a name or a path refers to, without loading it."""
    return Path(reference).stem if reference.endswith(".py") else reference


@cache
def load(reference: str) -> Agent:
    """Returns an agent.

    Args:
        reference: a name of this folder, or the path of a Python file that defines AGENT; the file is run.

    Raises:
        ValueError: in one line, if there is no such agent, or the file does not define one.
    """
    if reference.endswith(".py"):
        module = _run(Path(reference))
    elif reference in names():
        module = importlib.import_module(f"{__name__}.{reference}")
    else:
        raise ValueError(
            f"agent {reference!r} is unknown: {', '.join(names())}, or the path of a file that defines one"
        )
    agent = getattr(module, "AGENT", None)
    if not isinstance(agent, Agent):
        found = "nothing" if agent is None else f"a {type(agent).__name__}"
        what = f"found {found}; an agent trained elsewhere is FILE:FUNCTION"
        raise ValueError(f"{reference}: AGENT must be an Agent of muzero_probe.agents, {what}")
    name = name_of(reference)
    if not files.NAME.fullmatch(name):
        raise ValueError(f"{reference}: {name!r} cannot be the name of an agent, which is that of its file")
    profiles = agent.profiles.values() if isinstance(agent.profiles, Mapping) else ()
    if not profiles or not all(isinstance(profile, Profile) for profile in profiles):
        raise ValueError(f"{reference}: AGENT.profiles must hold one Profile or more, by name")
    return dataclasses.replace(agent, name=name, reference=reference)


def _run(path: Path) -> ModuleType:
    """Runs a user's file as a module."""
    if not os.path.isfile(path):
        raise ValueError(f"{path}: there is no such file")
    name = f"muzero_probe_agent_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look for it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        what = " ".join(str(error).split()) or "no message"
        raise ValueError(f"{path}: running it failed: {type(error).__name__}: {what}") from error
    return module
