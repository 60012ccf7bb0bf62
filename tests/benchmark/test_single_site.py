"""A study a method and site: the paired difference there, announced where its interval is clear of zero."""

from types import SimpleNamespace

import pandas as pd
import pytest

from medgen_utils.benchmark import About, evidence, single_site_studies
from medgen_utils.evaluation import paired_difference
from tests.benchmark.test_reference import predictions


@pytest.fixture
def stored(monkeypatch):
    """A method that helps at A, harms at B and does neither at C, and one that was run at A alone."""
    frame = predictions({"A": (0.2, 2.5), "B": (2.5, 0.2), "C": (1.0, 1.0)})
    frame = frame.replace({"algorithm": {"reference: target included": "method"}})
    alone = frame[(frame["algorithm"] == "method") & (frame["domain"] == "A")].assign(algorithm="unfinished")
    alone["run"] = "u" + alone["run"]
    frame = pd.concat([frame, alone], ignore_index=True)
    result = SimpleNamespace(about=About(10, "torch 2", "cpu", 1.0))
    monkeypatch.setattr(evidence, "result", lambda *arguments, **where: result)
    monkeypatch.setattr(evidence, "predictions", lambda *arguments: frame)
    return frame


def test_each_site_is_a_study_of_its_own(stored):
    found = single_site_studies("any")
    assert found.frame["method"].unique().tolist() == ["method"] and found.seeds == 3
    assert found.announced().loc["method"].tolist() == [1, 1, 1]
    both = stored[stored["algorithm"] != "unfinished"]
    seen = both.groupby(["domain", "seed", "index"])["algorithm"].transform("nunique") == 2
    by_hand = paired_difference(both[seen], "method", "ERM").set_index("domain")["value"]
    assert found.frame.set_index("domain")["value"].to_dict() == pytest.approx(by_hand.to_dict())


def test_the_sentence_counts_and_the_figure_has_a_point_a_study(stored):
    found = single_site_studies("any")
    said = found.say().data
    assert "Of 3 single-site studies, 1 would announce an improvement, 1 a harm, and 1 nothing certain" in said
    assert "1 of 1 methods gain at one of the 3 sites and lose at another" in said
    assert len(found.plot().axes[0].containers) == 3


def test_methods_that_lack_a_site_are_refused_by_name(stored):
    with pytest.raises(ValueError, match=r"unfinished.*found"):
        single_site_studies("any", ["unfinished"])
