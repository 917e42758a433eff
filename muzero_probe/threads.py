"""The one place that sets threads.

numba, OpenMP, BLAS and joblib each keep threads of their own; with more runnable threads than cores two
cores become up to a hundred times slower. Here every library below is held to a single thread, and
parallelism comes from one pool of Python threads over independent rows or seeds: the compiled kernels,
numpy and torch release the interpreter lock.

How work is cut into tasks never depends on the number of threads, so neither do results.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

SINGLE_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

POOL_NAME = "muzero-probe-pool"

T = TypeVar("T")

_pool: ThreadPoolExecutor | None = None
_count = 0


def cores() -> int:
    """Returns the number of cores that this process may use: of its affinity, and of its container's quota."""
    from joblib import cpu_count

    return cpu_count()


def configure(count: int | None = None) -> int:
    """Holds every numerical library to one thread and sizes the pool.

    Libraries that are loaded later read the environment; libraries already loaded are told directly.

    Args:
        count: threads in the pool; by default one per core that this process may use. A joblib worker
            calls this with its share of the cores.

    Returns:
        The number of threads in the pool.

    Raises:
        ValueError: if `count` is below 1.
    """
    global _pool, _count
    if count is not None and count < 1:
        raise ValueError(f"threads: {count} asked for, at least 1 is needed")
    for variable in SINGLE_THREAD_VARIABLES:
        os.environ[variable] = "1"
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    torch.set_num_threads(1)
    wanted = count or cores()
    if wanted != _count:
        if _pool is not None:
            _pool.shutdown()
        # torch keeps a number of threads for every thread that calls it
        hold = partial(torch.set_num_threads, 1)
        _pool = ThreadPoolExecutor(wanted, POOL_NAME, initializer=hold) if wanted > 1 else None
        _count = wanted
    return _count


def count() -> int:
    """Returns the number of threads in the pool (configures it with the default on first use)."""
    return _count or configure()


def run(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Runs independent tasks on the pool and returns their results in order.

    Called from within a task it runs inline: the pool must not wait for itself.

    Raises:
        Exception: the first exception that a task raised, after all tasks have ended.
    """
    if count() == 1 or len(tasks) == 1 or threading.current_thread().name.startswith(POOL_NAME):
        return [task() for task in tasks]
    assert _pool is not None
    futures = [_pool.submit(task) for task in tasks]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]
