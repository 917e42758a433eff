"""What is the run that the others are compared with?"""

import pytest

from muzero_probe.runs.run import Run
from tests.runs.small import STEPS, go, run_at


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing has stopped; only read, or copied."""
    run = run_at(tmp_path_factory.mktemp("reference"))
    took = go(run)
    assert took is not None
    assert (took.updates, took.starts) == (STEPS[-1], 1)
    assert took.total_seconds == pytest.approx(took.seconds, abs=0.1)
    return run
