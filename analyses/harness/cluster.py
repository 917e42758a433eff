"""Processes on other machines: calls run on a cluster of Dask's, which hands those of a lost worker to another one.

A worker measures only where it would come to the same bits: with the same code and packages and, where numbers depend
on it, on the same kind of processor. It has one thread: the libraries below would share them badly.
"""

import json
import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm

from analyses.harness import keys
from analyses.harness.pool import Calls, WorkerError
from muzero_probe.provenance import commit

SECONDS = 30  # until a scheduler answers and has a worker


class Alike(NamedTuple):
    """What a worker must have as the process that asks it."""

    modules: tuple[str, ...]  # whose code measures
    processor: bool  # whether numbers depend on it
    said: dict[str, str]  # by what it is


def alike(modules: tuple[str, ...], *, processor: bool) -> Alike:
    """Returns what this process has."""
    return Alike(modules, processor, _here(modules, processor))


def run(calls: Calls, scheduler: str, wanted: Alike) -> Iterator[str]:
    """Runs calls and yields their names as they end.

    Args:
        calls: what to run.
        scheduler: its file or its address.
        wanted: what workers must have.

    Raises:
        WorkerError: if there is no such cluster, it has no worker or another one than is wanted, or its workers are
            lost again and again with a call.
        Exception: the first that a call raised.
    """
    try:
        from distributed import CancelledError, Client, KilledWorker, as_completed
    except ImportError:
        raise WorkerError("--scheduler needs distributed: pip install 'muzero-probe[cluster]'") from None
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is lost is said here
    where: dict[str, Any] = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client = Client(**where, timeout=SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkerError(
            f"--scheduler {scheduler}: neither the file of a scheduler nor its address: {error}"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError:
            raise WorkerError(f"--scheduler {scheduler}: it has no workers: dask worker --nthreads 1 ...") from None
        futures = [client.submit(_measured, name, call, wanted, pure=False) for name, call in calls.items()]
        try:
            for future in as_completed(futures):
                yield future.result()
        except KilledWorker as error:
            raise WorkerError(f"workers are lost again and again: {error}") from None
        except CancelledError:
            raise WorkerError(f"--scheduler {scheduler}: the scheduler was lost; finished units are kept") from None
        finally:
            client.cancel(futures)


def _measured(name: str, call: Callable[[int | None], object], wanted: Alike) -> str:
    """Runs a call in a worker."""
    from distributed import get_worker

    worker = get_worker()
    if (threads := worker.state.nthreads) != 1:
        raise WorkerError(f"the worker {worker.address} has {threads} threads, it must have one: --nthreads 1")
    here = _here(wanted.modules, wanted.processor)
    for what, said in wanted.said.items():
        if here[what] != said:
            raise WorkerError(f"the worker {worker.address} has other {what}: {here[what]}, not {said}")
    call(1)
    return name


@cache
def _here(modules: tuple[str, ...], processor: bool) -> dict[str, str]:
    found = {
        "code": f"{keys.source_hash(modules)[:12]} at commit {commit()}",
        "packages": json.dumps(keys.versions()),
    }
    return found | ({"processors": llvm.get_host_cpu_name()} if processor else {})
