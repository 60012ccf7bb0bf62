"""The board is a plain table without script, and sorts and filters in a browser by mouse and by keyboard."""

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from medgen_utils.figures import sortable

FRAME = pd.DataFrame(
    {
        "method": ["ERM", "CORAL <b>", "MLDG"],
        "family": ["reference", "alignment", "meta-learning"],
        "gain": [np.nan, -0.0125, 0.1],
        "runs": [3, 10, 2],
    }
)
PAGE = sortable(
    FRAME, "A board", filters=["family"], links={"ERM": "gap.html#erm"}, show={"gain": "{:+.2f}".format}
).page


def test_without_script_it_is_a_table_with_its_numbers():
    table = BeautifulSoup(PAGE, "html.parser").table
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.tbody.find_all("tr")]
    assert rows == [
        ["ERM", "reference", "", "3"],
        ["CORAL <b>", "alignment", "-0.01", "10"],
        ["MLDG", "meta-learning", "+0.10", "2"],
    ]
    assert table.caption.get_text() == "A board" and table.find("a")["href"] == "gap.html#erm"
    assert all(head["scope"] == "col" for head in table.thead.find_all("th"))
    assert "http" not in PAGE and "<script" not in PAGE


def test_the_frame_is_what_is_shown_elsewhere():
    assert repr(sortable(FRAME, "A board")) == repr(FRAME)


@pytest.mark.parametrize("wrong", [{"filters": ["kind"]}, {"show": {"kind": str}}])
def test_a_column_that_is_not_there_is_named(wrong):
    with pytest.raises(KeyError, match=r"kind.*method"):
        sortable(FRAME, "A board", **wrong)


@pytest.fixture
def page(browser):
    tab = browser.new_page(viewport={"width": 390, "height": 700})
    tab.set_content(f"<!doctype html><html lang=en><title>board</title>{PAGE}")
    yield tab
    tab.close()


def shown(page) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].innerText)"
    )


def test_a_click_sorts_by_number_with_blanks_last_and_a_second_turns_it_round(page):
    page.get_by_role("button", name="gain").click()
    assert shown(page) == ["MLDG", "CORAL <b>", "ERM"]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="gain").click()
    assert shown(page) == ["CORAL <b>", "MLDG", "ERM"]
    page.get_by_role("button", name="runs").click()
    assert shown(page) == ["CORAL <b>", "ERM", "MLDG"] and page.locator("th[aria-sort]").count() == 1


def test_the_keyboard_sorts_too(page):
    page.get_by_role("button", name="method").focus()
    page.keyboard.press("Enter")
    assert shown(page) == ["MLDG", "ERM", "CORAL <b>"]


def test_a_choice_and_a_word_filter_and_say_how_many_are_left(page):
    page.get_by_label("family").select_option("alignment")
    assert shown(page) == ["CORAL <b>"] and page.locator("output").inner_text() == "1 of 3 rows"
    page.get_by_label("family").select_option("")
    page.get_by_label("search").fill("erm")
    assert shown(page) == ["ERM"]


def test_it_scrolls_inside_itself_and_passes_the_accessibility_check(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bad = [v["id"] for v in axe.run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert bad == []
