"""The command lines: what they share, and `muzero-probe` itself."""

import sys


def entry() -> int:
    """Runs `muzero-probe`; says what to install where the library was installed alone."""
    try:
        from muzero_probe.cli.main import main
    except ModuleNotFoundError as error:
        what = f"the package {error.name} is not installed: pip install 'muzero-probe[train]'"
        print(f"muzero-probe: {what}", file=sys.stderr)
        return 1
    return main()
