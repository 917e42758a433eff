"""Which code and which packages made a file?"""

import os
import platform
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the installed packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in ("torch", "numpy", "numba", "llvmlite", "gymnasium", "muzero_probe"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@cache
def commit() -> str:
    """Returns the checkout's commit, with "-dirty" if tracked files differ; "unknown" outside a checkout."""
    folder = Path(__file__).parent
    # A git hook's GIT_DIR would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    options: dict[str, Any] = {"cwd": folder, "env": environment, "stderr": subprocess.DEVNULL}

    def git(*command: str) -> str:
        command = ("git", "--no-optional-locks", *command)
        return subprocess.check_output(command, text=True, **options).strip()

    with suppress(OSError, subprocess.SubprocessError):
        # An environment that lies inside another checkout must not report that one's commit.
        if git("rev-parse", "--show-prefix") == f"{folder.name}/":
            return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return "unknown"
