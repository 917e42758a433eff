"""Do the sets of packages hold what pyproject.toml asks for, each version once, each file by its hash?"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
HASHED = {"study": "study", "dev": "check", "bench": "bench"}  # files of requirements/, and the extras in them


def text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pinned(name: str) -> dict[str, str]:
    """Versions by package; a marker may leave packages out, but none has two versions."""
    lines = [re.fullmatch(r"([\w.-]+)==([\w.]+)(?: ; .*)?(?: \\)?", line) for line in text(name).splitlines()]
    found = [(match[1], match[2]) for match in lines if match]
    if name != "lowest":
        assert len(found) == len({package for package, _ in found})
    return dict(found)


def asked(extra: str) -> list[Requirement]:
    """What an extra needs, the project's other extras resolved."""
    found = list(map(Requirement, PROJECT["dependencies"]))
    waiting = [extra]
    while waiting:
        for requirement in map(Requirement, EXTRAS[waiting.pop()]):
            if requirement.name == PROJECT["name"]:
                waiting += requirement.extras
            else:
                found.append(requirement)
    return found


@pytest.mark.parametrize("name", HASHED)
def test_what_is_asked_for_is_pinned(name: str):
    there = pinned(name) | pinned("torch")
    for requirement in asked(HASHED[name]):
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("name", [*HASHED, "peers"])
def test_every_package_has_its_hashes(name: str):
    entries = re.sub(r" \\\n +", " ", text(name)).splitlines()
    assert [entry for entry in entries if not entry.startswith("#") and "--hash=sha256:" not in entry] == []
    assert "://" not in text(name)


def test_peers_bring_nothing_that_is_ours():
    (bound,) = re.findall(r'echo "(.+)" \|', (ROOT / "Makefile").read_text())
    asked_for = Requirement(bound)
    assert list(pinned("peers")) == [asked_for.name]
    assert asked_for.specifier.contains(pinned("peers")[asked_for.name])


@pytest.mark.parametrize("name", HASHED)
def test_neither_torch_nor_cuda_is_hashed(name: str):
    """A build of torch without CUDA is another file of the same version, and does without those packages."""
    assert not re.search(r"^(torch|triton|nvidia|cuda)\b", text(name), re.MULTILINE)


def test_a_package_has_one_version_everywhere():
    small, middle, large = map(pinned, HASHED)
    assert small.items() <= middle.items()
    assert all(large[package] == middle[package] for package in middle.keys() & large.keys())


def test_the_oldest_versions_are_the_lower_bounds():
    """Or the oldest release above one, where there is no such release."""
    there = pinned("lowest")
    for requirement in asked("test"):
        (bound,) = requirement.specifier
        assert bound.operator == ">="
        release = there[canonicalize_name(requirement.name)].split(".")
        wanted = bound.version.split(".")
        assert release[: len(wanted)] == wanted, requirement


def test_make_asks_for_the_python_that_the_project_needs():
    (version,) = re.findall(r"sys\.version_info < \((\d+), (\d+)\)", (ROOT / "Makefile").read_text())
    assert PROJECT["requires-python"] == f">={'.'.join(version)}"
    assert f"Python {'.'.join(version)} or newer" in (ROOT / "Makefile").read_text()
