"""Data frames have one header row on the site, with the names of rows and columns in its corner."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tools.site import finish, tables

FRAME = pd.DataFrame({"x": [1, 2], "y": [3, 4]}, index=pd.Index(["a", "b"], name="domain"))


def heads(page: str) -> list[list[str]]:
    rows = BeautifulSoup(page, "html.parser").select("thead tr")
    return [[cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in rows]


CASES = {
    "index": (FRAME, [["domain", "x", "y"]]),
    "index and columns": (FRAME.rename_axis(columns="method"), [["domain / method", "x", "y"]]),
    "two levels": (FRAME.set_index("x", append=True), [["domain", "x", "y"]]),
    "two levels, one named": (FRAME.set_index("x", append=True).rename_axis([None, "size"]), [["", "size", "y"]]),
    "two levels and columns": (
        FRAME.assign(z=0).set_index("x", append=True).rename_axis(columns="method"),
        [["domain", "x / method", "y", "z"]],
    ),
    "no name": (FRAME.rename_axis(None), [["", "x", "y"]]),
    "columns of two levels": (
        pd.concat({"mean": FRAME}, axis=1),
        [["", "mean"], ["domain", "x", "y"]],
    ),
}


@pytest.mark.parametrize(("frame", "expected"), CASES.values(), ids=CASES.keys())
def test_names_stand_in_one_row(frame, expected):
    page = tables.one_header(frame._repr_html_())
    assert heads(page) == expected
    assert page.count("<td>") == frame._repr_html_().count("<td>")  # nothing below is touched


def test_a_header_row_with_words_of_its_own_stays():
    page = FRAME._repr_html_().replace("<th>domain</th>\n      <th></th>", "<th>domain</th>\n      <th>unit</th>")
    assert tables.one_header(page) == page and len(heads(page)) == 2


def test_other_tables_are_left_alone():
    page = "<table class='table'><thead><tr><th></th></tr><tr><th>x</th></tr></thead></table>"
    assert tables.one_header(page) == page


def test_the_site_uses_it():
    assert heads(finish.mend(FRAME._repr_html_())) == [["domain", "x", "y"]]
