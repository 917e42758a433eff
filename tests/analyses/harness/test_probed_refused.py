"""Is whatever is wrong with somebody's agent said in one line?"""

import re
from pathlib import Path

import pytest

from analyses import __main__ as program
from tests.analyses import studies
from tests.analyses.harness import adapters

FILE = """
import numpy as np
import torch
from muzero_probe import FunctionModel, ProbedAgent, Replayed
from muzero_probe.envs.planted import TabularEnvironment

ENV = TabularEnvironment([[1, 2], [2, 0], [0, 1]], [[1, 0], [0, 1], [1, 1]], [False] * 3, time_limit=4)


def initial(observations):
    return observations, np.zeros(len(observations)), np.zeros((len(observations), 2))


def recurrent(states, actions):
    return states, np.ones(len(states)), np.zeros(len(states)), np.zeros((len(states), 2))


def model(initial=initial, recurrent=recurrent, actions=2):
    return FunctionModel(initial, recurrent, num_actions=actions)


def agent(**changes):
    given = dict(name="mine", title="Mine", environment=ENV, models={0: model()}, discount=0.9)
    return ProbedAgent(**(given | changes))


"""


def refusal(file: Path, what: str, capsys: pytest.CaptureFixture[str], *, code: int) -> str:
    """The one line about a function that returns this."""
    file.write_text(f"{FILE}def load():\n    {what}\n")
    places = ["--tables", str(file.parent / "tables"), "--units", str(file.parent / "units"), "--jobs", "1"]
    assert program.main(["returns", "--agent", f"{file}:load", "--bank.states", "2", *places]) == code
    said = capsys.readouterr()
    assert said.out == "" and not (file.parent / "tables").exists()
    return studies.one_line(said.err, "python -m analyses")


# What does not load


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nowhere.py:load", "nowhere.py: there is no such file"),
        ("nowhere.at.all:load", "nowhere.at.all: running it failed: ModuleNotFoundError: No module named 'nowhere'"),
        (":load", ": running it failed: ValueError: Empty module name"),
        ("muzero_probe.probed:nothing", "muzero_probe.probed: has no function 'nothing', which should return a"),
        ("muzero_probe.probed:", "muzero_probe.probed: has no function '', which should return a ProbedAgent"),
        ("analyses.harness.probed:REPEATED", "analyses.harness.probed: has no function 'REPEATED'"),
    ],
)
def test_no_such_function(reference: str, says: str, capsys: pytest.CaptureFixture[str]):
    assert program.main(["--agent", reference]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert studies.one_line(said.err, "python -m analyses").startswith(says)


def test_a_file_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "failing.py"
    file.write_text("1 / 0\n")
    assert program.main(["--agent", f"{file}:load"]) == 2
    said = studies.one_line(capsys.readouterr().err, "python -m analyses")
    assert said == f"{file}: running it failed: ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("return None", "returns a NoneType, a muzero_probe.ProbedAgent is needed"),
        ("return agent(), 3", "returns a tuple, a muzero_probe.ProbedAgent is needed"),
        ("return model()", "returns a FunctionModel, a muzero_probe.ProbedAgent is needed"),
        ("raise RuntimeError('no\\n weights')", "running it failed: RuntimeError: no weights"),
        ("return open('/nowhere/weights')", "running it failed: FileNotFoundError: [Errno 2] No such file"),
        ("return agent(titel=3)", "running it failed: TypeError: ProbedAgent.__init__() got an unexpected keyword"),
        ("return agent(name='a/b')", "agent 'a/b': this cannot be a name"),
        ("return agent(models={})", "agent mine: models must be given by training steps, 0 or above"),
        ("return agent(models={-1: model()})", "agent mine: models must be given by training steps, 0 or above"),
        ("return agent(models={'last': model()})", "agent mine: models must be given by training steps, 0 or above"),
        ("return agent(models=[model()])", "agent mine: models must be a dict, training step to model, not a list"),
        (
            "return agent(models={0: [model(), model()], 5: model()})",
            "agent mine: every step needs the same seeds, found [1, 2] models a step",
        ),
        ("return agent(models={0: []})", "agent mine: every step needs the same seeds, found [0] models a step"),
        ("return agent(models={0: torch.nn.ReLU()})", "agent mine: models must be of kind Model, not ReLU"),
        ("return agent(models={0: [model(), 3]})", "agent mine: models must be of kind Model, not int"),
        ("return agent(models={0: initial})", "agent mine: models must be of kind Model, not function"),
        ("return agent(horizon=0)", "agent mine: horizon is 0, at least 1 is needed"),
        ("return agent(repetitions=0)", "agent mine: repetitions is 0, at least 1 is needed"),
        ("return agent(temperature=0)", "agent mine: temperature is 0, it must be positive"),
        ("return agent(discount=1.5)", "search.discount is 1.5, it must lie in (0, 1]"),
        ("return agent(simulations=0)", "search.simulations is 0, at least 1 is needed"),
        ("return agent(rule='gumbel')", "search.rule is 'gumbel', there are muzero, efficientzero"),
        ("return agent(environment=3)", "agent mine: environment must be an Environment, not a int"),
        ("return agent(environment='NoSuchTask-v0')", "replayed:NoSuchTask-v0: Gymnasium cannot make it: "),
        ("return agent(models={0: model(actions=3)})", "agent mine: num_actions of its models is 3, tabular has 2 "),
        ("return agent(environment='CartPole-v1', models={0: [model(), model(actions=4)]})",
         "agent mine: num_actions of its models is 2, 4, CartPole-v1 has 2 "),
    ],
)  # fmt: skip
def test_what_is_no_agent(tmp_path: Path, what: str, says: str, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "odd.py"
    assert refusal(file, what, capsys, code=2).startswith(f"{file}:load: {says}")


def test_settings_of_no_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    said = refusal(tmp_path / "odd.py", "return agent(analyses={'planing': {}})", capsys, code=2)
    assert said.startswith("settings of 'planing' are unknown, there are ")


def test_an_agent_that_is_there_only_in_other_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "two.py"
    reference = adapters.treadmill(file, "{0: [model(0), model(1)]}")
    assert program.main(["--agent", reference, "--seeds", "0:3"]) == 1
    said = studies.one_line(capsys.readouterr().err, "python -m analyses")
    assert said == f"{reference}: seed 2 is not there, it has 2 models a step"


# What a model answers


INITIAL = "return agent(models={{0: model(initial=lambda x: {})}})"
RECURRENT = "return agent(models={{0: [model(), model(recurrent=lambda s, a: {})]}})"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("(x, np.zeros(len(x)))", "initial must return a tuple of 3, not 2 of them"),
        ("[x, np.zeros(len(x)), np.zeros((len(x), 2))]", "initial must return a tuple of 3, not a list"),
        ("None", "initial must return a tuple of 3, not a NoneType"),
        ("(x, np.zeros((len(x), 1)), np.zeros((len(x), 2)))", "values must have shape [8], not [8, 1]"),
        ("(x, np.zeros(len(x) + 1), np.zeros((len(x), 2)))", "values must have shape [8], not [9]"),
        ("(x, np.zeros(len(x), int), np.zeros((len(x), 2)))",
         "values must be a numpy array of floating-point numbers, not int64"),
        ("(x, [0.0] * len(x), np.zeros((len(x), 2)))",
         "values must be a numpy array of floating-point numbers, not list"),
        ("(x, np.zeros(len(x)), np.zeros((len(x), 3)))", "prior_logits must have shape [8, 2], not [8, 3]"),
        ("(x, np.zeros(len(x)), np.zeros(len(x)))", "prior_logits must have shape [8, 2], not [8]"),
        ("(x, np.zeros(len(x)), np.log(np.arange(2.0)) + np.zeros((len(x), 2)))",
         "prior_logits must be finite, -inf is among them"),
        ("(x, np.full(len(x), np.nan), np.zeros((len(x), 2)))", "values must be finite, nan is among them"),
        ("(x[:3], np.zeros(len(x)), np.zeros((len(x), 2)))",
         "states must be an array or tensor of 8 rows, not shape [3, 3]"),
        ("(list(x), np.zeros(len(x)), np.zeros((len(x), 2)))",
         "states must be an array or tensor of 8 rows, not a list"),
        ("({'h': x}, np.zeros(len(x)), np.zeros((len(x), 2)))",
         "states must be an array or tensor of 8 rows, not a dict"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_initial_inference(tmp_path: Path, answer: str, says: str, capsys: pytest.CaptureFixture[str]):
    assert refusal(tmp_path / "odd.py", INITIAL.format(answer), capsys, code=1) == f"FunctionModel: {says}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("initial(s)", "recurrent must return a tuple of 4, not 3 of them"),
        ("(s, np.zeros(len(s) - 1), *initial(s)[1:])", "rewards must have shape [8], not [7]"),
        ("(s, np.ones(len(s), bool), *initial(s)[1:])",
         "rewards must be a numpy array of floating-point numbers, not bool"),
        ("(s, np.full(len(s), np.inf), *initial(s)[1:])", "rewards must be finite, inf is among them"),
        ("(s[:1], np.ones(len(s)), *initial(s)[1:])", "states must be an array or tensor of 8 rows, not shape [1, 3]"),
    ],
)  # fmt: skip
def test_recurrent_inference(tmp_path: Path, answer: str, says: str, capsys: pytest.CaptureFixture[str]):
    """Of one of two seeds."""
    assert refusal(tmp_path / "odd.py", RECURRENT.format(answer), capsys, code=1) == f"FunctionModel: {says}"


def test_an_answer_that_is_wrong_only_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """In the midst of the work, for another number of rows than at its start."""
    answer = "(x, np.zeros(8) if len(x) == 8 else np.zeros(1), np.zeros((len(x), 2)))"
    said = refusal(tmp_path / "odd.py", INITIAL.format(answer), capsys, code=1)
    assert re.fullmatch(r"FunctionModel: values must have shape \[\d+\], not \[1\]", said)
