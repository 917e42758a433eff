"""What once ended the process, took gigabytes or did not end: tried in a process of its own, with a limit of both.

The limits only hold back a fault that came back: what is right raises at once.
"""

import subprocess
import sys

import pytest

SECONDS = 120  # most are the start of Python and what it compiles
BEGIN = """
import resource
import numpy as np
from tests.wrong.calls import *  # compiles and loads
from muzero_probe import *
"""
LIMIT = "\nresource.setrlimit(resource.RLIMIT_DATA, (12 * 2**30,) * 2)\n"
CALLS = {
    "actions of 1e9": ("MODEL.step(LATENTS, np.full(B, 10**9))", "actions must lie in"),
    "fewer actions than rows": ("MODEL.step(LATENTS, np.zeros(0, int))", "actions must have shape"),
    "fewer plans than rows": ("MODEL.rollout(LATENTS, np.zeros((0, 900), int))", "plans must have shape"),
    "no horizon": ("search(MODEL, OBSERVATIONS, CONFIG, leaf=ValueLeaf(horizon=0))", "horizon of paths is 0"),
    "no actions": (
        "search(type('Model0', (Answering,), {'num_actions': 0})(), OBSERVATIONS, CONFIG)",
        "num_actions of Model0 is 0",
    ),
    "other products": (
        "from muzero_probe.exact.products import dense\n"
        "dense(np.zeros((9, 3), np.float32), np.zeros((10**6, 8), np.float32), np.zeros(8, np.float32))",
        "do not fit together",
    ),
    "sequences of 2^30": (
        "policy = lambda rows, _: np.full((len(rows), 2), 0.5)\n"
        "policy_value_error(ENV, MODEL, STATES, policy, horizon=30, discount=1, samples=None)",
        "action sequences, at most",
    ),
    "trajectories of 1e9": ("RolloutLeaf(horizon=10**9)", "at most 100,000"),
    "trees that memory does not hold": (
        "search(Answering(), np.zeros((20_000, 4)), SearchConfig(simulations=100_000), record=True)",
        "at most 4 GiB",
    ),
}


def ran(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS)


def test_none_ends_the_process():
    """All in one process: its end by a signal, a memory limit or the time names the last one begun."""
    lines = [BEGIN, LIMIT]
    for name, (call, words) in CALLS.items():
        lines += [f"print({name!r}, flush=True)", "try:", *(f"    {line}" for line in call.split("\n"))]
        lines += ["except (TypeError, ValueError) as error:", f"    assert {words!r} in str(error), error"]
        lines += ["else:", "    raise AssertionError('accepted')"]
    done = ran("\n".join(lines))
    assert done.returncode == 0, f"{done.stdout}{done.stderr[-2000:]}"
    assert done.stdout.splitlines() == list(CALLS)


@pytest.mark.parametrize("name", ["actions of 1e9"])
def test_the_process_would_tell(name: str):
    """A call that is not refused makes the test fail."""
    done = ran(f"{BEGIN}{LIMIT}assert False, {name!r}")
    assert done.returncode == 1 and name in done.stderr
