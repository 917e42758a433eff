"""Is a seed the same agent alone and in company, whatever processor the libraries take this one for?

Nothing is skipped for a processor; kernels that it cannot run are not in `CORES`.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from muzero_probe import agents
from muzero_probe.cpu import (
    heads,
    inference,
    mlp,
    mlp_gradient,
    parameters,
    planes,
    residual,
    residual_gradient,
    residual_parameters,
    rows,
    search,
    updates,
)
from muzero_probe.exact import elementary, products
from muzero_probe.search import tree
from muzero_probe.training import monitor, replay

ROOT = Path(__file__).parents[1]
PLAYABLE = {name for name in agents.names() if not agents.load(name).lacks()}  # `agents.test_load` says which must be
AGENTS = tuple(sorted(PLAYABLE & {"cartpole", "lunar_lander", "minatar", "breakout"}))

# heaps that are laid out otherwise: all arrays on pages of their own, freed memory overwritten, a wide top
HEAPS: tuple[dict[str, str], ...] = (
    {"MALLOC_MMAP_THRESHOLD_": "1024"},
    {"MALLOC_PERTURB_": "165"},
    {"MALLOC_TOP_PAD_": "4096", "MALLOC_ARENA_MAX": "1"},
)


def kernel(core: str) -> str:
    """The kernels that OpenBLAS really takes when it is told a core."""
    program = (
        "import numpy, threadpoolctl; a = numpy.ones((70, 70), numpy.float32); assert (a @ a == 70).all();"
        "print([x['architecture'] for x in threadpoolctl.threadpool_info() if x['internal_api'] == 'openblas'][0])"
    )
    environment = {**os.environ, "OPENBLAS_CORETYPE": core}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    return done.stdout.strip()


HOST = llvm.get_host_cpu_features()
# kernels of OpenBLAS, by what a processor must have to run them; Zen takes Haswell's
CORES = [
    core
    for core, needs in {
        "Nehalem": "sse4.2",
        "Sandybridge": "avx",
        "Haswell": "avx2",
        "SkylakeX": "avx512f",
    }.items()
    if HOST.get(needs)
]


def dispatched() -> set[str]:
    """Features for which numpy has code of its own, and which this processor has."""
    from numpy._core import _multiarray_umath as core  # pyright: ignore[reportAttributeAccessIssue]

    return {name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]}


def together(variables: dict[str, str], agents: tuple[str, ...]) -> dict[str, list[str]]:
    """What `tests.together` prints in such an environment; OpenBLAS is told nothing else."""
    plain = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.together", *agents],
        cwd=ROOT, env=plain | variables, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def unset() -> dict[str, list[str]]:
    """With no variable set."""
    return together({}, AGENTS)


def test_alone_and_in_company_with_no_variable_set():
    assert unset().keys() == {*AGENTS}
    for agent, digests in unset().items():
        assert len(digests) == 3 and len(set(digests)) == 1, agent


@pytest.mark.parametrize("core", CORES)
def test_alone_and_in_company_on_other_kernels_and_heaps(core: str):
    assert kernel(core) == core
    heap = HEAPS[CORES.index(core) % len(HEAPS)]
    found = together({"OPENBLAS_CORETYPE": core} | heap, AGENTS)
    for agent in AGENTS:
        assert set(found[agent]) == set(unset()[agent]), agent


def test_alone_and_in_company_on_an_older_processor():
    """What numpy and the C library would choose without AVX2 and FMA."""
    features = " ".join(sorted(dispatched() & {"X86_V3", "X86_V4"}))
    tunables = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4"
    found = together({"NPY_DISABLE_CPU_FEATURES": features, "GLIBC_TUNABLES": tunables}, AGENTS)
    for agent in AGENTS:
        assert set(found[agent]) == set(unset()[agent]), agent


def compiled_code() -> list[tuple[str, CPUDispatcher]]:
    of_nets = (heads, mlp, mlp_gradient, parameters, planes, residual, residual_gradient, residual_parameters, rows)
    modules = (*of_nets, elementary, products, inference, updates, search, tree, replay, monitor)
    return [
        (f"{module.__name__}.{name}", function)
        for module in modules
        for name, function in vars(module).items()
        if isinstance(function, CPUDispatcher) and function.py_func.__module__ == module.__name__
    ]


def test_compiled_code_leaves_nothing_to_the_compiler():
    """No fast math: LLVM may neither reorder sums nor fuse operations by what a processor can do."""
    functions = compiled_code()
    assert len(functions) > 80
    assert {"muzero_probe.cpu.updates.update", "muzero_probe.exact.products.product"} <= {name for name, _ in functions}
    for name, function in functions:
        assert not function.targetoptions.get("fastmath"), name
    out = np.empty((2, 8), np.float32)
    given = np.ones((2, 3), np.float32), np.ones((3, 8), np.float32), np.zeros(8, np.float32), out, products.NO_LIMIT
    assert "llvm.fma.v16f32" in code_of(products.product, given)
    images, weights = np.ones((1, 3, 3, 2), np.float32), np.ones((3, 6, 16), np.float32)
    given = images, 1, 1, weights, np.empty((1, 1, 1, 16), np.float32), (1, 1)
    assert "llvm.fma.v16f32" in code_of(planes.convolve, given)


def code_of(function: CPUDispatcher, given: tuple[Any, ...]) -> str:
    """LLVM's, compiled anew: what comes from the cache has no code to show."""
    fresh = numba.njit(error_model="numpy")(function.py_func)
    fresh(*given)
    (code,) = fresh.inspect_llvm().values()
    assert not any(flag in code for flag in ("reassoc", " fast ", "contract"))
    return code
