"""Titles, headings and figures around a cell."""

import json

import pytest

from tests.claims.examples import code, markdown
from tools.claims import places

DRAWN = {"image/png": "iVBO"}


@pytest.fixture
def root(tmp_path):
    cells = [
        markdown("# A chapter: of figures"),
        code("early", DRAWN),
        markdown("## One\n\nText."),
        code("above", DRAWN),
        markdown("### Predict\n\n<details><summary>A. Yes.</summary>\n\nNo.\n\n</details>"),
        code("words", {"text/plain": "1"}),
        code("below", DRAWN),
        markdown("### One"),
        code("alone", {"text/plain": "1"}),
        code("after", {"image/svg+xml": "<svg/>"}),
        markdown("## Two"),
        code("bare", {"text/plain": "1"}),
    ]
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "one.ipynb").write_text(json.dumps({"cells": cells}))
    return tmp_path


@pytest.mark.parametrize(
    ("cell", "figure"),
    [("above", "above"), ("words", "above"), ("below", "below"), ("alone", "after"), ("bare", None)],
)
def test_a_figure_is_of_the_same_section_and_above_before_below(root, cell, figure):
    assert places.figure(root, "one", cell) == figure


def test_titles_and_headings(root):
    assert places.title(root, "one") == "A chapter"
    assert [places.section(root, "one", cell) for cell in ("early", "words", "bare")] == [
        "A chapter: of figures",
        "One",
        "Two",
    ]
    assert places.has(root, "one", "bare") and not places.has(root, "one", "x") and not places.has(root, "two", "bare")
    with pytest.raises(ValueError, match="one has no cell x"):
        places.section(root, "one", "x")
