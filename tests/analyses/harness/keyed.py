"""A program: how does the code in the current folder name the units of two populations?

For every line that it reads, it prints a JSON object: by population, the names of units of all questions. The first
population is the toolkit's, below the folder that the command line names; the second one is that of `adapter.py`.
"""

import json
import sys
from pathlib import Path

from analyses.harness import checkpoints, keys, probed, registry, study
from analyses.harness.population import Population
from muzero_probe import agents


def named(population: Population, device: str = "cpu") -> dict[str, str]:
    """The names of one seed's units at one step, and of what they read."""
    work = study.Work(population, Path("units"), device)
    settings = registry.settings({})
    seeds, step = population.seeds[:1], population.steps[0]
    bank = work.bank(settings.bank, seeds, step)
    found = {"banks": bank.path.name}
    for name, question in registry.questions().items():
        chosen = getattr(settings, name)
        once = work.once(name, question, chosen, seeds) if hasattr(question, "measure_once") else None
        read = bank if getattr(question, "BANK", False) else None
        found[name] = work.unit(name, question, chosen, seeds, step, read, once).path.name
        if once:
            found[f"{name} once"] = once.path.name
    return found


def main() -> None:
    """Answers until its input ends."""
    populations = {
        "toolkit": checkpoints.find(Path(sys.argv[1]), "smoke", agents.load("cartpole"), None),
        "adapter": probed.find("adapter.py:load", None),
    }
    for _ in sys.stdin:
        keys._file.cache_clear()  # a file may be new
        print(json.dumps({name: named(population) for name, population in populations.items()}), flush=True)


if __name__ == "__main__":
    main()
