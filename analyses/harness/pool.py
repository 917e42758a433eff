"""Processes on this machine: calls run side by side, a process each, and every process ends when this one does."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from multiprocessing import resource_tracker as python_tracker
from typing import Any

import joblib
from joblib.externals.loky.backend import resource_tracker as loky_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError

from muzero_probe import threads

Calls = Mapping[str, Callable[[int | None], object]]  # by name; each is told its share of threads, None for all
WATCH_SECONDS = 0.5  # how long a worker may outlive its parent


class WorkerError(Exception):
    """Workers that are lost, or are none of ours; one line says which, and what was being measured."""


def run(calls: Calls, jobs: int) -> Iterator[str]:
    """Runs calls and yields their names as they end.

    Args:
        calls: what to run.
        jobs: processes, at least 1; with one, calls run here.

    Raises:
        ValueError: if jobs are below 1.
        WorkerError: if a process was killed.
        Exception: the first that a call raised; the others are stopped, too.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, at least 1 is needed")
    jobs = min(jobs, len(calls))
    if jobs <= 1:
        for name, call in calls.items():
            call(None)
            yield name
        return
    share = max(1, threads.cores() // jobs)
    running: dict[str, None] = {}  # in order; joblib takes a call when a process is free

    def tasks() -> Iterator[tuple]:
        for name, call in calls.items():
            running[name] = None
            yield joblib.delayed(_named)(name, call, share)

    given: Any = {"batch_size": 1, "initializer": _watch, "initargs": (os.getpid(),)}
    parallel = joblib.Parallel(n_jobs=jobs, pre_dispatch="n_jobs", return_as="generator_unordered", **given)
    try:
        with _unwound():
            with _interruptions_held():
                done: Any = parallel(tasks())
            with closing(done):
                for name in map(str, done):
                    del running[name]
                    yield name
    except TerminatedWorkerError:
        raise WorkerError(
            f"a worker was killed, perhaps for want of memory, while {', '.join(running)} "
            f"{'were' if len(running) > 1 else 'was'} measured; the same command goes on with the finished units, "
            "with fewer --jobs it needs less memory"
        ) from None


def _named(name: str, call: Callable[[int | None], object], share: int) -> str:
    call(share)
    return name


@contextmanager
def _unwound() -> Iterator[None]:
    """Lets Ctrl-C be an exception for as long as workers run: they, and what they share, are cleared away then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _interruptions_held() -> Iterator[None]:
    """Lets Ctrl-C wait: threads and processes that are started meanwhile never see one, this process ends them."""
    for tracker in (python_tracker, loky_tracker):
        tracker.ensure_running()  # they would let interruptions through when they start
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(parent: int) -> None:
    """Ends this process when its parent is gone, however that died; Ctrl-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
