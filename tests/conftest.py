"""One place holds the threads of all tests; what many tests share is made here."""

import os
from collections.abc import Generator, Iterator

import pytest

from muzero_probe import agents, threads

# helpers whose asserts shall say what differs
pytest.register_assert_rewrite("tests.probes.value_errors", "tests.runs.small", "tests.search.searches")

# processes side by side share the cores
threads.configure(max(1, threads.cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))


# long ones first: the last file runs alone
LONGEST = (
    "cpu/test_compiled_once.py", "test_processors.py", "analyses/harness/test_keys.py", "examples/test_acrobot.py",
    "analyses/test_new_question.py", "envs/test_breakout.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders files by how long they take, roughly."""
    items.sort(key=lambda item: not item.nodeid.removeprefix("tests/").startswith(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skips what plays an agent whose package is not there, and says which; `test_load` holds that to pyproject."""
    report = yield
    if call.excinfo is not None and isinstance(error := call.excinfo.value, ImportError):
        for agent in map(agents.load, agents.names()):
            what = agent.lacks()
            if what and (str(error) == what or error.name in agent.needs):
                report.outcome = "skipped"
                report.longrepr = (str(item.path), (item.location[1] or 0) + 1, f"Skipped: {what}")
    return report


@pytest.fixture
def restored_threads() -> Iterator[None]:
    """For tests that change the size of the pool."""
    before = threads.count()
    yield
    threads.configure(before)
