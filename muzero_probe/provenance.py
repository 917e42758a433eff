"""Which code, which packages and which machine made a file?"""

import multiprocessing
import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

EXTRAS = ("train", "lunar", "atari", "minatar", "study")  # what a run may import; not what tests and benchmarks add
FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")  # that decide which kernels are chosen


def versions() -> dict[str, str]:
    """Returns what bits may depend on beside the code: Python, packages and theirs, BLAS and its kernels, processor."""
    return {"python": platform.python_version(), **_packages(), "blas": _blas(), "processor": _processor()}


@cache
def _packages() -> dict[str, str]:
    """Returns the versions of this project, of what it depends on, and of what that depends on, where installed."""
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [("muzero-probe", EXTRAS)]
    while waiting:
        name, extras = node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        try:
            there = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = there.version
        for line in there.requires or ():
            needed, more = re.findall(r"^([\w.-]+)\s*(?:\[(.*?)\])?", line)[0]
            of_extra = re.search(r"extra\s*==\s*[\"']([\w.-]+)", line)
            if of_extra is None or of_extra[1] in extras:
                waiting.append((re.sub(r"[-_.]+", "-", needed).lower(), tuple(re.findall(r"[\w.-]+", more))))
    return dict(sorted(found.items()))


@cache
def _blas() -> str:
    """Returns name, version and kernels of numpy's BLAS; scipy's, which may be loaded beside it, measures nothing."""
    import numpy  # noqa: F401  loads it
    from threadpoolctl import threadpool_info

    parts = ("internal_api", "version", "architecture")
    found = {
        " ".join(str(x[part]) for part in parts if x.get(part))
        for x in threadpool_info()
        if x["user_api"] == "blas" and "scipy" not in Path(x["filepath"]).parent.name
    }
    return ", ".join(sorted(found)) or "unknown"


@cache
def _processor() -> str:
    """Returns the processor that code is compiled for, and its sets of instructions."""
    import llvmlite.binding as llvm

    there = llvm.get_host_cpu_features()
    return " ".join([llvm.get_host_cpu_name(), *(feature for feature in FEATURES if there.get(feature))])


@cache
def commit() -> str:
    """Returns the checkout's commit, with "-dirty" if tracked files differ; "unknown" outside a checkout.

    Where there is a checkout and git does not tell its commit, one line on stderr says why.
    """
    folder = Path(__file__).parent
    # A git hook's GIT_DIR would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    options: dict[str, Any] = {"cwd": folder, "env": environment, "stderr": subprocess.PIPE}

    def git(*command: str) -> str:
        command = ("git", "--no-optional-locks", *command)
        return subprocess.check_output(command, text=True, **options).strip()

    try:
        # An environment that lies inside another checkout must not report that one's commit.
        if git("rev-parse", "--show-prefix") == f"{folder.name}/":
            return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except FileNotFoundError:
        why = "git is not installed"
    except subprocess.CalledProcessError as error:
        why = " ".join(error.stderr.split())
    else:
        return "unknown"
    # a process that another one started says nothing: that one does
    if (folder.parent / ".git").exists() and multiprocessing.parent_process() is None:
        print(f"muzero-probe: the commit of {folder.parent} is recorded as unknown: {why}", file=sys.stderr)
    return "unknown"
