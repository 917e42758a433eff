"""Does the smallest example, a model of one's own before a single probe, work?"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_errors_grow_with_the_steps_behind_the_end():
    command = [sys.executable, str(ROOT / "examples" / "own_model.py")]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    errors = [float(x) for x in re.findall(r"[\d.]+(?:e-?\d+)?", done.stdout)]
    assert len(errors) == 10
    assert errors[0] == 0  # no Cart Pole episode is over after one step
    assert errors == sorted(errors) and errors[-1] > 0
