"""The command lines: what they share, and `muzero-probe` itself."""

import sys
from pathlib import Path

from muzero_probe.cli import start


def entry() -> int:
    """Runs `muzero-probe`; says what to install where the library was installed alone.

    In a checkout other than the one that is installed, it refuses: people expect its code to run there.
    """
    goes_on = "; the same command goes on from the last resume state" if sys.argv[1:2] == ["train"] else ""
    start.begin("muzero-probe", goes_on)
    installed, here = Path(__file__).resolve().parents[2], Path().resolve()
    for folder in (here, *here.parents):
        if (folder / "muzero_probe" / "cli" / "__init__.py").is_file() and folder != installed:
            what = f"here lies the checkout {folder}, but what is installed is the code of {installed}"
            print(f"muzero-probe: {what}: `make .venv/run` here, then .venv/bin/muzero-probe", file=sys.stderr)
            return 2
    try:
        from muzero_probe.cli.main import main
    except ModuleNotFoundError as error:
        what = f"the package {error.name} is not installed: pip install 'muzero-probe[train]'"
        print(f"muzero-probe: {what}", file=sys.stderr)
        return 1
    return main()
