"""Is an agent the listing's, or its file's, and does one line say what is wrong with a file?"""

import dataclasses
import os
import pickle
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from muzero_probe import agents
from muzero_probe.agents import Agent
from muzero_probe.cli import main
from muzero_probe.envs import Replayed
from muzero_probe.envs.planted import TabularEnvironment
from tests.agents import own


def test_names_are_the_listing():
    files = {path.stem for path in Path(agents.__file__).parent.glob("*.py")}
    assert set(agents.names()) == files - {"__init__", "card"}
    assert list(agents.names()) == sorted(agents.names())


@pytest.mark.parametrize("name", agents.names())
def test_an_agent_has_its_file_s_name(name: str):
    agent = agents.load(name)
    assert (agent.name, agent.reference) == (name, name)
    assert agents.load(name) is agent


@pytest.mark.parametrize("name", agents.names())
def test_only_what_has_no_wheel_for_this_python_is_lacking(name: str):
    """As the markers of pyproject.toml say; the suite is run with every agent's extra."""
    agent = agents.load(name)
    extras = {extra for source in agent.needs.values() for extra in re.findall(r"muzero-probe\[(\w+)\]", source)}
    requirements = list(map(Requirement, metadata.requires("muzero-probe") or []))
    promised = {extra for extra in extras for r in requirements if r.marker and r.marker.evaluate({"extra": extra})}
    assert agent.lacks() is None or extras - promised
    assert all(agent.lacks() for _ in extras - promised)


def test_what_is_lacking_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    agent = dataclasses.replace(agents.load("cartpole"), name="mine", needs={"Game9": "'muzero-probe[games]'"})
    what = "mine: the package game9 is not installed: pip install 'muzero-probe[games]'"
    with pytest.raises(ImportError) as caught:
        agent.make({})
    assert str(caught.value) == what
    monkeypatch.setattr(main, "load", lambda name: agent if name == "minatar" else agents.load(name))
    assert main.main(["agents"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == what


def test_a_file_of_one_s_own(tmp_path: Path):
    path = own.write(tmp_path)
    agent = agents.load(path)
    assert isinstance(agent, Agent)
    assert (agent.name, agent.reference, agent.title) == ("mine", path, "A chain")
    assert agents.name_of(path) == "mine" and agents.name_of("cartpole") == "cartpole"
    config = agent.config("smoke")
    assert (config.agent, config.environment) == ("mine", {"length": 7})
    env = agent.make(config.environment)
    assert isinstance(env, TabularEnvironment) and env.name == "chain-7"
    assert agent.make({}).name == "chain-5"


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own.write(tmp_path, name="here.py")
    monkeypatch.chdir(tmp_path)
    assert agents.load("here.py").name == "here"


def test_a_file_may_define_classes(tmp_path: Path):
    """Dataclasses look for the module that they are of."""
    nets = "from __future__ import annotations\nimport dataclasses\n\n@dataclasses.dataclass(frozen=True)\n"
    nets += "class Sizes:\n    width: int = 3\n"
    path = own.write(tmp_path, ("NetsConfig(latent=8, hidden=8)", "Sizes()"))
    Path(path).write_text(nets + Path(path).read_text())
    agent = agents.load(path)
    assert agent.profile("smoke").nets.width == 3
    assert agent.read(agent.config("smoke").to_dict(), "smoke") == agent.config("smoke")


def test_an_environment_of_gymnasium(tmp_path: Path):
    path = own.write(tmp_path, ("environment=environment", 'environment="CartPole-v1"'), ('{"length": 7}', "{}"))
    agent = agents.load(path)
    env = agent.make(agent.profile("smoke").environment)
    assert isinstance(env, Replayed)
    assert env.name == "replayed:CartPole-v1"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("chess", r"^agent 'chess' is unknown: breakout, cartpole, lunar_lander, minatar, or the path of a file"),
        ("card", r"^agent 'card' is unknown: "),
        ("", r"^agent '' is unknown: "),
        ("no/such.py", r"^no/such\.py: there is no such file$"),
    ],
)
def test_what_is_not_there_is_refused(reference: str, says: str):
    with pytest.raises(ValueError, match=says) as refused:
        agents.load(reference)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("AGENT = Agent(", "OTHER = Agent("), "AGENT must be an Agent of muzero_probe.agents, found nothing"),
        (("AGENT = Agent(", "AGENT = dict("), "AGENT must be an Agent of muzero_probe.agents, found a dict"),
        (("def environment(", "raise RuntimeError('first\\nsecond')\ndef environment("),
         "running it failed: RuntimeError: first second"),
        (("def environment(", "raise KeyError\ndef environment("), "running it failed: KeyError: no message"),
        (("def environment(", "import sys; sys.exit(3)\ndef environment("), "running it failed: SystemExit: 3"),
        (("def environment(", "def environment"), "running it failed: SyntaxError: "),
        (("from muzero_probe.envs.planted", "from muzero_probe.nowhere"), "running it failed: ModuleNotFoundError: "),
        (("**SMOKE", "**SMOKE, n_step=0"), "running it failed: TypeError: "),
        (("discount=0.9", "discount=1.9"), "running it failed: ValueError: search.discount is 1.9"),
        (('"smoke": Profile(', '"smoke": dict('), "AGENT.profiles must hold one Profile or more, by name"),
        (("profiles={", "profiles={} and {"), "AGENT.profiles must hold one Profile or more, by name"),
        (("profiles={", "profiles=[] or [0] or {"), "AGENT.profiles must hold one Profile or more, by name"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path: Path, change: tuple[str, str], says: str):
    path = own.write(tmp_path, change)
    with pytest.raises(ValueError) as refused:
        agents.load(path)
    assert str(refused.value).startswith(f"{path}: {says}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["my card.py", "_mine.py", "ü.py"])
def test_what_cannot_be_a_name_is_refused(tmp_path: Path, name: str):
    path = own.write(tmp_path, name=name)
    with pytest.raises(ValueError, match=f"'{name[:-3]}' cannot be the name of an agent, which is that of its file$"):
        agents.load(path)


def test_an_environment_that_is_none_is_refused(tmp_path: Path):
    agent = agents.load(own.write(tmp_path, ("return chain(length)", "return length")))
    with pytest.raises(ValueError, match=r"^agent mine: environment must make an Environment, not a int$"):
        agent.make({})


@pytest.mark.parametrize("gym_id", ["NoSuchTask-v0", "no id"])
def test_an_unknown_environment_of_gymnasium_is_refused(tmp_path: Path, gym_id: str):
    agent = agents.load(own.write(tmp_path, ("environment=environment", f"environment={gym_id!r}")))
    with pytest.raises(ValueError, match=f"^replayed:{gym_id}: Gymnasium cannot make it: ") as refused:
        agent.make({})
    assert "\n" not in str(refused.value)


def test_an_agent_survives_pickle(tmp_path: Path):
    """It is loaded again by its reference, also where its file was not loaded before."""
    for reference in ("cartpole", own.write(tmp_path)):
        assert pickle.loads(pickle.dumps(agents.load(reference))) is agents.load(reference)
    code = "import pickle, sys; agent = pickle.load(sys.stdin.buffer)\n"
    code += "print(agent.name, agent.make(agent.profile('smoke').environment).name)"
    data = pickle.dumps(agents.load(str(tmp_path / "mine.py")))
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, env=dict(os.environ))
    assert (done.stdout, done.stderr) == (b"mine chain-7\n", b"")
