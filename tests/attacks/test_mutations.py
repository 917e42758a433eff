"""Is a damaged file, or another's in its place, named? Thousands of mutations: `python -m tests.attacks.mutations`."""

from tests.attacks.mutations import main


def test_every_mutation_is_named(capsys):
    outcomes = main(400, seed=1)
    assert len(outcomes) == 10
    wrong = {
        (kind, what)
        for kind, counted in outcomes.items()
        for what in counted
        if what in ("accepted", "traceback", "not named")
    }
    assert not wrong, capsys.readouterr().out
