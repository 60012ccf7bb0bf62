"""What the pages share: numbers in words, charts on one scale, templates that find the shared parts."""

from itertools import pairwise

import pytest

from medgen_utils.audit.parts import counted, forest, interval, number, p_value, percent, template


def test_numbers_are_written_with_their_interval_and_p_values_are_never_zero():
    assert number(-0.5) == "\u22120.500"
    assert interval({"value": 0.5, "low": None, "high": None}) == "0.500"
    assert interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.500 (0.250 to 0.750)"
    assert (p_value(0.0), p_value(0.04), p_value(None)) == ("< 0.001", "0.040", "")


def test_one_is_not_written_as_many():
    assert [counted(n, "model") for n in (1, 2, 1200)] == ["1 model", "2 models", "1,200 models"]


def row(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def test_a_chart_has_one_scale_its_marks_and_its_words():
    chart = forest([("A", [(0, row(0.5, 0.4, 0.6)), (7, row(0.9))]), ("B", [(1, row(None))])], [0.5], "AUROC", {"B"})
    first, second = chart["rows"]
    assert [line["colour"] for line in first["lines"]] == [0, 1] and first["lines"][1]["low"] is None
    assert first["lines"][0]["value"] == chart["marks"][0]
    places = [float(first["lines"][i][end][:-1]) for i, end in ((0, "low"), (0, "value"), (0, "high"), (1, "value"))]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= 100
    assert first["words"] == "A: AUROC 0.500 (0.400 to 0.600); 0.900" and not first["few"]
    assert second["few"] and second["lines"][0]["value"] is None
    assert all(0 <= float(x[:-1]) <= 100 for x, _ in chart["ticks"])


def test_shares_are_percentages():
    assert (percent(0.125), percent(None)) == ("12.5 %", "not defined")


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("medgen_utils.audit", "page.html.j2"),
        ("medgen_utils.audit.embeddings", "embeddings.html.j2"),
        ("medgen_utils.audit.comparison", "comparison.html.j2"),
    ],
)
def test_every_page_is_made_of_the_shared_parts_and_escapes(package, name):
    found = template(package, name)
    assert found.environment.autoescape is True
    source = found.environment.loader.get_source(found.environment, name)[0]
    assert 'from "parts.html.j2" import' in source and 'include "style.css"' in source
    assert "{% macro chart" not in source and "{% macro heads" not in source
    assert template(package, name) is found, "a page's template is read once"


def test_a_chart_uses_its_width_and_a_single_value_stands_in_its_middle():
    wide = forest([("A", [(0, row(0.5, 0.2, 0.9))])], [], "AUROC")["rows"][0]["lines"][0]
    assert 0 < float(wide["low"][:-1]) < 10 and 90 < float(wide["high"][:-1]) < 100
    alone = forest([("A", [(0, row(0.5))])], [], "AUROC")
    assert alone["rows"][0]["lines"][0]["value"] == "50.00%" and alone["ticks"]


@pytest.mark.parametrize("n", [1, 4])
def test_a_row_of_a_chart_has_as_much_room_below_its_lines_as_above(n):
    (found,) = forest([("A", [(0, row(0.5, 0.4, 0.6))] * n)], [], "AUROC")["rows"]
    above, below = found["lines"][0]["y"], found["height"] - found["lines"][-1]["y"]
    assert above == below == 12 and {b["y"] - a["y"] for a, b in pairwise(found["lines"])} <= {18}
