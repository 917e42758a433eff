"""Does what the README shows work?"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_model_of_one_s_own():
    (program,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert program == (ROOT / "examples" / "own_model.py").read_text()  # where its types are checked
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    errors = [float(x) for x in re.findall(r"[\d.]+(?:e-?\d+)?", done.stdout)]
    assert len(errors) == 10
    assert errors[0] == 0  # no Cart Pole episode is over after one step
    assert errors == sorted(errors) and errors[-1] > 0


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_links_lead_somewhere(link: str):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_makefile_has_the_targets(target: str):
    assert re.search(rf"^{target}:|^\.venv.* {target}:", (ROOT / "Makefile").read_text(), re.M)
