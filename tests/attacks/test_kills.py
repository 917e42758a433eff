"""Does a killed command leave anything but what it had finished? A thousand kills: `python -m tests.attacks.kills`."""

import subprocess
import sys

from tests.attacks.kills import ROOT


def test_killed_commands_go_on():
    """In a process of its own, which forks."""
    command = [sys.executable, "-m", "tests.attacks.kills", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    counted = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert int(counted["kills"]) >= 8 and "wrong" not in counted, done.stderr
