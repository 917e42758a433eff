"""Which questions are there? Every module of `analyses` that defines `measure` is one.

Such a module has its `Settings` (a frozen dataclass), its `COLUMNS`, the number of its `FIGURE`, and
`measure(agents, settings, inputs)`, which returns a row per seed and setting. It may also say

    BANK = True                   it is measured in states of the agents' own policy
    EVERY_CHECKPOINT = True       it compares the agents of all checkpoints, at least two
    check(settings, actions)      refuses, in one line, settings that do not go with so many actions
    measure_once(agents, settings)    what owes nothing to the checkpoint, measured once for all of them
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from analyses.harness.settings import Bank
from muzero_probe import files
from muzero_probe.config import at_least

FOLDER = Path(__file__).parents[1]


@cache
def questions() -> dict[str, ModuleType]:
    """Returns the modules that measure, by name, in the order of their figures."""
    modules = {name: importlib.import_module(f"analyses.{name}") for name in files.modules(FOLDER)}
    asking = {name: module for name, module in modules.items() if hasattr(module, "measure")}
    return dict(sorted(asking.items(), key=lambda item: (item[1].FIGURE, item[0])))


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all analyses of an agent share."""

    shard: int = 5
    """Seeds measured together; no number depends on it."""
    bank: Bank = field(default_factory=Bank)

    def __post_init__(self) -> None:
        at_least(self, "", 1, "shard")


@cache
def settings_type() -> Any:
    """Returns the dataclass of all settings: `Shared`, and those of every question under its name."""
    sections = [(name, module.Settings, field(default_factory=module.Settings)) for name, module in questions().items()]
    made = make_dataclass("Settings", sections, bases=(Shared,), frozen=True, kw_only=True)
    made.__doc__ = "All analyses of one agent."
    return made


def settings(given: Mapping[str, Any]) -> Any:
    """Returns the settings that an agent's file names, defaults elsewhere.

    Raises:
        ValueError: if a name is unknown, or a value impossible.
    """
    kind = settings_type()
    types: dict[str, Any] = {f.name: f.type for f in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in types:
            raise ValueError(f"settings of {name!r} are unknown, there are {', '.join(types)}")
        try:
            values[name] = value if isinstance(value, types[name]) else types[name](**value)
        except TypeError as error:
            raise ValueError(f"settings of {name}: {str(error).partition(') ')[2] or error}") from None
    return kind(**values)
