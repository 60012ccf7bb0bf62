"""One command writes everything derived; its check changes nothing and fails where a file is out of step."""

import pytest

from tools.write import __main__ as write


@pytest.fixture
def asked(monkeypatch) -> list[bool]:
    """Two steps of which the second finds a file to write; whether it was asked to write."""
    asked = []
    steps = {"what is in step": lambda write: [], "numbers": lambda write: asked.append(write) or ["chapters/a.csv"]}
    monkeypatch.setattr(write, "STEPS", steps)
    return asked


def test_check_names_what_is_out_of_step_and_writes_nothing(asked, capsys):
    assert write.main(["--check"]) == 1
    assert asked == [False]
    assert capsys.readouterr().out == "Out of step (run `make write`): numbers\n  chapters/a.csv\n"


def test_without_check_everything_is_written(asked, capsys):
    assert write.main([]) == 0
    assert asked == [True]
    assert "Written: numbers\n  chapters/a.csv" in capsys.readouterr().out
    assert "in step" not in capsys.readouterr().out


def test_the_book_is_in_step(capsys):
    assert write.main(["--check"]) == 0, f"run `make write`: {capsys.readouterr().out}"
