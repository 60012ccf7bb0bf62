"""The game in the page draws, sells and scores what the game in Python does, and every reader can play it."""

import re

import numpy as np
import pytest

from explorer import detective
from explorer.export import read_script
from explorer.numbers import with_numbers
from medgen_utils.sealed import REMEDIES, cases, networks, open_case, play
from tests.explorer.examples import check_chapter, check_controls, check_figure, settle, visit
from tools import SITE

SEEDS = (1, 5, 8)
seeds = pytest.mark.parametrize("seed", SEEDS)


def words(page) -> str:
    return page.locator(".mgx-words").text_content()


@pytest.fixture(scope="module")
def page(browser):
    tab = visit(browser, (detective.FOLDER / "index.html").as_uri())
    tab.evaluate("window.live = medgenDetective.assembled()")
    yield tab
    tab.context.close()


@pytest.fixture(scope="module")
def opened(page):
    """Seed -> the case in Python, and a name under which the page holds its own."""
    found = {}
    for seed in SEEDS:
        page.evaluate("(seed) => { window['case' + seed] = live.play.open(seed, medgenData.networks.networks); }", seed)
        found[seed] = open_case(seed)
    return found


# The same game in both


def test_networks_of_the_page_are_those_of_the_package():
    assert read_script(detective.FOLDER / "networks.js") == detective.json.loads(networks.FILE.read_text("utf-8"))


def test_page_hides_what_python_hides(page):
    for seed in range(1, 60):
        hidden, seen = cases.hide(seed), page.evaluate("(seed) => live.cases.hide(seed)", seed)
        assert (seen["causes"], seen["condition"]) == (list(hidden.causes), hidden.condition)
        for own, hospital in zip(seen["hospitals"], hidden.hospitals, strict=True):
            assert own == pytest.approx({name: getattr(hospital, name) for name in own}), seed


@seeds
def test_images_labels_and_answers_are_those_of_python(page, opened, seed):
    case = opened[seed]
    for place, images in (("home", case.home), ("sealed", case.sealed)):
        seen = page.evaluate(
            """([seed, place]) => { const group = window['case' + seed][place];
                return {...group, images: group.images.slice(0, 20).map((image) => [...image])}; }""",
            [seed, place],
        )
        np.testing.assert_allclose(np.array(seen["images"]).reshape(-1, 1, 28, 28), images.x[:20], atol=3e-4)
        assert (seen["label"], seen["truth"]) == (images.y.tolist(), images.true_y.tolist())
        for remedy in set(REMEDIES) - {"prior"}:
            np.testing.assert_allclose(seen["raw"][remedy], case.scores(images, remedy), atol=2e-3)


@seeds
def test_evidence_and_score_are_those_of_python(page, opened, seed):
    case = open_case(seed)
    for tool in ("test", "probe", "audit"):
        seen = page.evaluate("([seed, tool]) => live.play[tool](window['case' + seed])", [seed, tool])
        expected = getattr(case, tool)()
        assert list(seen) == list(expected)
        for name, value in expected.items():
            assert seen[name] == pytest.approx(value if not isinstance(value, tuple) else list(value), abs=0.011), name
    seen = page.evaluate("(seed) => live.play.labels(window['case' + seed])", seed)
    assert seen == pytest.approx(open_case(seed).labels(), abs=0.02)
    tried = page.evaluate("(seed) => live.play.tryRemedy(window['case' + seed], 'cover')", seed)
    assert tried == pytest.approx(open_case(seed).try_remedy("cover"), abs=0.011)
    conclusion = {"causes": ["scanner"], "low": 0.6, "high": 0.9, "remedy": "augmentation"}
    seen = page.evaluate(
        "([seed, it]) => live.play.commit(window['case' + seed], it)",
        [seed, conclusion | {"bought": ["test", "probe", "audit"]}],
    )
    expected = case.commit(*conclusion.values())
    assert seen["auroc"] == pytest.approx(expected["auroc"], abs=0.002)
    assert seen["brier"] == pytest.approx(expected["brier"], abs=0.002)
    assert seen["points"] == pytest.approx(expected["points"], abs=1)
    without = re.compile(r"\d+/\d+")
    assert without.sub("", seen["line"]) == without.sub("", expected["line"])


def test_rules_of_the_page_are_those_of_python(page):
    assert page.evaluate("[live.play.BUDGET, live.play.PRICES, live.play.SHARES]") == [
        play.BUDGET,
        play.PRICES,
        play.SHARES,
    ]
    assert page.evaluate("[live.cases.CAUSES, live.cases.REMEDIES]") == [list(cases.CAUSES), list(REMEDIES)]
    assert page.evaluate("[Object.keys(medgenWords.causes), Object.keys(medgenWords.remedies)]") == [
        list(cases.CAUSES),
        list(REMEDIES),
    ]


def test_numbers_in_the_text_are_those_of_the_case_on_paper():
    text = detective.PAGE.read_text("utf-8")
    case = open_case(detective.PAPER_CASE)
    assert text == with_numbers(text, detective.facts(case), "explorer/detective.py")


# Every reader can play it


def test_page_runs_from_the_disk_and_asks_nobody(page):
    assert page.complaints == []
    assert all(url.startswith((detective.FOLDER.parent.as_uri(), "data:", "blob:")) for url in page.requests)
    files = [path for folder in ("live", "detective") for path in (detective.FOLDER.parent / folder).iterdir()]
    assert sum(path.stat().st_size for path in files) < 600_000


def test_a_case_is_played_to_the_end_by_keyboard_alone(browser):
    page = visit(browser, (detective.FOLDER / "index.html").as_uri() + "?case=8")
    assert "Case 8 is open" in words(page)
    page.get_by_role("button", name="Shift test on the answers").press("Enter")
    assert "differ by" in words(page) and "7 of 8" in page.locator(".mgd-budget").text_content()
    assert page.evaluate("document.activeElement.dataset.tool") == "test", "the focus stays where it was"
    page.get_by_role("button", name="Buy 20 labels there").press("Enter")
    page.get_by_role("button", name="Measure the images").press("Enter")
    assert page.locator(".mgd-entry table tbody tr").count() == 5
    page.get_by_role("button", name="Have 20 training labels read again").press("Enter")
    assert "costs 2, and 1 points are left" in words(page)
    commit = page.get_by_role("button", name="Commit: open the sealed hospital")
    commit.press("Enter")
    assert words(page) == "Choose one cause, or two."
    page.get_by_label("Scanner").press("Space")
    page.get_by_label("from", exact=True).fill("0.6")
    page.get_by_label("to", exact=True).fill("0.9")
    page.get_by_label("Change nothing").press("Space")
    page.get_by_label("to", exact=True).press("Enter")
    assert "of 100 points. Hidden: " in words(page)
    expected = open_case(8)
    line = page.get_by_label("Your result as a line of text").input_value()
    assert line.startswith("Sealed hospital 8: ") and line.endswith("7 of 8 spent: test, labels, probe.")
    assert page.evaluate("document.activeElement.className") == "mgd-end"
    assert f"{expected.truth()['auroc']:.2f}"[:3] in page.locator(".mgd-end").text_content()
    assert not commit.is_visible() and page.locator(".mgd-end a").count() == len(expected.hidden.causes)
    page.get_by_role("button", name="Copy the line").press("Enter")
    page.wait_for_function("document.querySelector('.mgx-words').textContent.startsWith('The line is')")
    page.get_by_label("case", exact=True).fill("-3")
    page.get_by_role("button", name="Open this case").press("Enter")
    settle(page)
    assert "Case 1 is open" in words(page) and commit.is_visible() and page.locator(".mgd-entry").count() == 0
    assert page.complaints == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, axe, scheme):
    page = visit(browser, (detective.FOLDER / "index.html").as_uri(), color_scheme=scheme)
    page.get_by_role("button", name="Measure the images").click()
    page.get_by_label("Scanner").check()
    page.get_by_label("from", exact=True).fill("0.6")
    page.get_by_label("to", exact=True).fill("0.9")
    page.get_by_label("Change nothing").check()
    for _ in range(2):
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
        if page.get_by_role("button", name="Commit").is_visible():
            page.get_by_role("button", name="Commit").click()
    page.context.close()


@pytest.mark.parametrize("width", [320, 390])
def test_no_sideways_scroll_and_controls_large_enough_for_a_finger(page, width):
    check_controls(page, width)


def test_print_and_pages_without_scripts_show_the_figure(page, browser):
    check_figure(page, browser, (detective.FOLDER / "index.html").as_uri(), ".mg-detective img")


@pytest.mark.skipif(not (SITE / "chapters" / "detective.html").is_file(), reason="the site is not built")
def test_page_of_the_book_opens_a_case(browser):
    check_chapter(browser, SITE, "detective")
