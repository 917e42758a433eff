"""Does the pool run everything once, in order, and never wait for itself?"""

import builtins
import io
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_info

from muzero_probe import threads

pytestmark = pytest.mark.usefixtures("restored_threads")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_order(count: int):
    assert threads.configure(count) == count == threads.count()

    def task(i: int) -> int:
        time.sleep(0.002 * (6 - i))  # later tasks end first
        return i * i

    assert threads.run([lambda i=i: task(i) for i in range(6)]) == [0, 1, 4, 9, 16, 25]
    assert threads.run([]) == []


def test_tasks_run_on_several_threads():
    threads.configure(2)
    meet = threading.Barrier(2, timeout=10)
    assert len(threads.run([meet.wait, meet.wait])) == 2  # would time out one after the other


@pytest.mark.parametrize("count", [1, 2])
def test_a_task_may_run_tasks(count: int):
    threads.configure(count)

    def outer(i: int) -> list[int]:
        return threads.run([lambda j=j: 10 * i + j for j in range(3)])

    assert threads.run([lambda i=i: outer(i) for i in range(4)]) == [[10 * i + j for j in range(3)] for i in range(4)]


def test_the_first_error_is_raised_after_all_tasks_have_ended():
    threads.configure(2)
    ended = []

    def fails(what: str) -> None:
        raise RuntimeError(what)

    def slow() -> None:
        time.sleep(0.05)
        ended.append(True)

    with pytest.raises(RuntimeError, match="one"):
        threads.run([lambda: fails("one"), slow, lambda: fails("two")])
    assert ended == [True]
    assert threads.run([lambda: 1, lambda: 2]) == [1, 2]


def test_libraries_are_held_to_one_thread():
    threads.configure(2)
    assert all(os.environ[variable] == "1" for variable in threads.SINGLE_THREAD_VARIABLES)
    assert torch.get_num_threads() == 1
    assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert all(pool["num_threads"] == 1 for pool in threadpool_info())


def test_the_default_is_a_thread_per_core():
    assert threads.configure() == threads.cores() >= 1


@pytest.mark.parametrize("count", [0, -2])
def test_no_threads_are_refused(count: int):
    with pytest.raises(ValueError, match=f"{count} asked for, at least 1"):
        threads.configure(count)


@pytest.mark.parametrize(
    "quota", [{"cpu.max": "100000 100000\n"}, {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}]
)
def test_a_container_s_quota_is_a_number_of_cores(quota: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """As control groups of version 2 or 1 say it: one processor's time, on a machine with eight."""
    groups, opened, exists = "/sys/fs/cgroup/", builtins.open, os.path.exists

    def there(path: Any) -> bool:
        text = str(path)
        return text.removeprefix(groups) in quota if text.startswith(groups) else exists(path)

    def read(path: Any, *words: Any, **more: Any) -> Any:
        text = str(path)
        return (
            io.StringIO(quota[text.removeprefix(groups)]) if text.startswith(groups) else opened(path, *words, **more)
        )

    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 8, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os.path, "exists", there)
    monkeypatch.setattr(builtins, "open", read)
    assert threads.cores() == 1
    quota.clear()
    assert threads.cores() == 8


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores")
def test_a_process_bound_to_one_core_has_one():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from muzero_probe import threads; print(threads.cores())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "1\n"
