"""The page of the trainings: what the text says is what torch found, and every reader can use it."""

import json

import numpy as np
import pytest

from explorer import train
from tests.explorer.examples import PATIENCE, check_chapter, check_controls, check_figure, settle, visit
from tools import SITE

RESULTS = json.loads((train.FOLDER / "check.json").read_text("utf-8"))


def reach(page, step: int) -> None:
    page.wait_for_function(f"document.querySelector('progress').value >= {step}", timeout=PATIENCE)


@pytest.fixture(scope="module")
def page(browser):
    tab = visit(browser, (train.FOLDER / "index.html").as_uri())
    yield tab
    tab.context.close()


def mean(cause: str, method: str, place: str = "away", what: str = "auroc") -> float:
    return float(np.mean(train.last(RESULTS, cause, method, place, what)))


def test_numbers_in_the_text_come_from_the_check_file():
    text = train.PAGE.read_text("utf-8")
    assert text == train.with_facts(text, RESULTS)


def test_check_file_has_every_cause_method_and_seed():
    assert list(RESULTS["curves"]) == list(train.TITLES)
    for methods in RESULTS["curves"].values():
        assert {name: len(curves) for name, curves in methods.items()} == dict.fromkeys(train.METHODS, len(train.SEEDS))


def test_what_the_text_says_in_words_is_so():
    assert mean("none", "erm", "home") > 0.95 and abs(mean("none", "erm") - mean("none", "erm", "home")) < 0.05
    assert mean("none", "augmentation", "home") < mean("none", "erm", "home"), "question 1: not finished"
    others = {method: mean("scanner", method) for method in ("erm", "coral", "dro")}
    assert mean("scanner", "augmentation") > max(others.values()) + 0.05, "question 2"
    assert others["erm"] < 0.8 and others["coral"] == max(others.values())
    called = [share for method in ("erm", "dro") for share in train.last(RESULTS, "scanner", method, "away", "called")]
    assert min(called) < 0.05 and max(called) > 0.95, "nearly all, or nearly none"
    assert min(mean("shortcut", method, "home") for method in train.METHODS) > 0.8, "question 3"
    assert mean("shortcut", "dro") > max(mean("shortcut", method) for method in ("erm", "coral", "augmentation")) + 0.05
    assert mean("population", "augmentation") < mean("population", "erm") - 0.05, "question 4"
    assert abs(mean("prevalence", "erm") - mean("none", "erm")) < 0.05, "question 5"
    graders = [mean("graders", method) for method in ("erm", "coral", "dro")]
    assert max(graders) < mean("none", "erm") - 0.05 and max(graders) - min(graders) < 0.05


def test_page_runs_from_the_disk_and_asks_nobody(page):
    assert page.complaints == []
    assert all(url.startswith((train.FOLDER.parent.as_uri(), "data:", "blob:")) for url in page.requests)
    files = [path for folder in ("live", "train") for path in (train.FOLDER.parent / folder).iterdir()]
    assert sum(path.stat().st_size for path in files if path.suffix != ".json") < 400_000


def test_it_trains_stops_and_goes_on_by_keyboard_while_a_cause_is_switched(page):
    page.get_by_role("button", name="Train 300 steps").press("Enter")
    assert "Training four networks" in page.locator(".mgx-words").text_content()
    reach(page, 20)
    page.get_by_label("Scanner").press("Space")
    assert "Scanner switched on" in page.locator(".mgx-words").text_content()
    reach(page, 30)
    page.get_by_role("button", name="Stop").press("Enter")
    assert settle(page).startswith("Stopped. After ")
    stopped_at = page.evaluate("document.querySelector('progress').value")
    assert 30 <= stopped_at < 300 and page.locator(".mgx-plot .home").count() == 2, (
        "a line where the cause was switched"
    )
    for method in ("ERM", "Augmentation", "CORAL", "Group DRO"):
        assert f"for {method}" in settle(page)
    page.get_by_role("button", name="Go on").press("Enter")
    reach(page, stopped_at + 10)
    page.get_by_role("button", name="Stop").press("Enter")
    settle(page)
    page.get_by_label("Scanner").press("Space")
    page.wait_for_function(
        "document.querySelector('.mgx-words').textContent.startsWith('With no cause')", timeout=PATIENCE
    )
    page.get_by_role("button", name="Start again").press("Enter")
    assert settle(page).startswith("Ready: four networks") and page.locator(".mgx-plot .home").count() == 0


def test_by_touch_it_trains_to_the_end(browser):
    page = visit(
        browser, (train.FOLDER / "index.html").as_uri(), viewport={"width": 390, "height": 800}, has_touch=True
    )
    page.get_by_label("Scanner").tap()
    settle(page)
    page.get_by_role("button", name="Train 300 steps").tap()
    page.wait_for_function("document.querySelector('progress').value == 300", timeout=4 * PATIENCE)
    said = settle(page)
    assert "After 300 steps" in said and all(f"for {name}" in said for name in ("ERM", "Augmentation", "CORAL"))
    assert page.get_by_label("Scanner").is_checked() and page.complaints == []
    page.context.close()


def test_page_answers_at_once_while_it_trains(page):
    """No pause of the page longer than a tenth of a second, once it has drawn its hospitals; half where it is busy."""
    page.get_by_role("button", name="Train 300 steps").click()
    reach(page, 10)
    longest = page.evaluate(
        """() => new Promise((resolve) => { let [last, longest, start] = [performance.now(), 0, performance.now()];
            const tick = () => { const now = performance.now(); longest = Math.max(longest, now - last); last = now;
                if (now - start > 3000) resolve(longest); else setTimeout(tick, 0); }; tick(); })"""
    )
    page.get_by_role("button", name="Stop").click()
    settle(page)
    page.get_by_role("button", name="Start again").click()
    settle(page)
    assert longest < 500


def test_another_seed_gives_other_networks_and_nonsense_is_refused(page):
    curve = "document.querySelector('.mgx-plot').getAttribute('aria-label')"
    page.get_by_label("seed").fill("1")
    page.get_by_label("seed").press("Enter")
    settle(page)
    one = page.evaluate(curve)
    page.get_by_label("seed").fill("2")
    page.get_by_label("seed").press("Enter")
    assert "seed 2" in settle(page) and page.evaluate(curve) != one
    page.get_by_label("seed").fill("-5")
    page.get_by_label("seed").press("Enter")
    assert "seed 1" in settle(page) and page.get_by_label("seed").input_value() == "1"
    assert page.evaluate(curve) == one


def test_every_control_has_a_name_and_the_state_is_announced(page):
    unnamed = page.evaluate(
        """[...document.querySelectorAll('.mgx input')].filter(
            (input) => !input.labels.length || !input.labels[0].textContent.trim()).length"""
    )
    assert unnamed == 0 and page.locator(".mgx [role=img]:not([aria-label])").count() == 0
    assert page.locator(".mgx-words").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, axe, scheme):
    page = visit(browser, (train.FOLDER / "index.html").as_uri(), color_scheme=scheme)
    page.get_by_label("Shortcut").check()
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    page.context.close()


@pytest.mark.parametrize("width", [320, 390])
def test_no_sideways_scroll_and_controls_large_enough_for_a_finger(page, width):
    check_controls(page, width)


def test_print_and_pages_without_scripts_show_the_figure(page, browser):
    check_figure(page, browser, (train.FOLDER / "index.html").as_uri(), ".mg-train img")


@pytest.mark.skipif(not (SITE / "chapters" / "train.html").is_file(), reason="the site is not built: run `make book`")
def test_page_of_the_book_trains(browser):
    check_chapter(browser, SITE, "train")
