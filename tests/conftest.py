"""One place holds the threads of all tests; what many tests share is made here."""

import os
from collections.abc import Iterator

import pytest

from muzero_probe import threads

# helpers whose asserts shall say what differs
pytest.register_assert_rewrite("tests.probes.value_errors", "tests.runs.small", "tests.search.searches")

# processes side by side share the cores
threads.configure(max(1, threads.cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))


@pytest.fixture
def restored_threads() -> Iterator[None]:
    """For tests that change the size of the pool."""
    before = threads.count()
    yield
    threads.configure(before)
