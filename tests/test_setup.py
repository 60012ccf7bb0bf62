"""The set-up of a chapter: the mode from the environment, the table it prints, the values it picks."""

import matplotlib
import pytest

from medgen_utils import setup
from medgen_utils.benchmark.entries import PROBLEMS
from medgen_utils.plotting import PAPER


def test_mode_is_read_from_the_environment_and_a_wrong_one_is_named(monkeypatch):
    monkeypatch.delenv("MEDGEN_MODE", raising=False)
    assert setup.mode() == "fast"
    monkeypatch.setenv("MEDGEN_MODE", "quick")
    with pytest.raises(ValueError, match="quick"):
        setup.mode()


def test_setup_prints_the_table_and_picks_by_mode(monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_MODE", "full")
    context = setup.setup("a_chapter", data=("clinic",))
    assert context.pick(1, 2) == 2 and len(context.seeds) == 5
    assert context.steps == PROBLEMS[0].steps  # the clinic's budget: what is shown has stopped learning
    printed = capsys.readouterr().out
    assert matplotlib.rcParams["figure.facecolor"] == PAPER
    assert "a_chapter" in printed and "data: clinic" in printed and "torch" in printed
    assert context.footer(3.2).startswith("full mode · 5 seeds · torch") and "3 s" in context.footer(3.2)
