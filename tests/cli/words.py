"""What do the tests of the command line say, and what comes of it?"""

from muzero_probe.cli import main as cli
from muzero_probe.runs.run import Run

SMOKE = ["train", "cartpole", "--profile", "smoke"]
FAST = ["--search.simulations", "4", "--training.batch-size", "4", "--training.steps", "24"]
FAST += ["--training.checkpoints", "0", "24"]


def parsed(*words: str) -> Run:
    command = cli._parse(words)
    assert isinstance(command, cli.Train)
    return cli._run_of(command)


def lines(text: str) -> list[list[str]]:
    """The cells of a table's rows."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]
