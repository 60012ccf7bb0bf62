"""The planner computes what the package computes, from the spreads that the store gives, for every reader."""

import json

import pytest

from explorer import plan
from explorer.numbers import with_numbers
from tests.explorer.examples import FOLDER as EXPLORER
from tests.explorer.examples import visit
from tools import SITE

FOLDER = plan.FOLDER
CHECK = json.loads((FOLDER / "check.json").read_text("utf-8"))
ALONE = (FOLDER / "index.html").as_uri()
WORDS = ".mgp .mgx-words"


@pytest.fixture(scope="module")
def planner(browser):
    page = visit(browser, ALONE)
    yield page
    page.context.close()


def test_the_page_computes_the_chances_of_the_package(planner):
    found = planner.evaluate(
        """({ spreads, studies }) => studies.map((study) =>
             window.medgenPower.power(study, spreads[study.question], study.hospitals))""",
        CHECK,
    )
    assert found == pytest.approx([study["power"] for study in CHECK["studies"]], abs=1e-6)
    assert CHECK["studies"] == plan.check(CHECK["spreads"]), "written with another formula: run python -m explorer.plan"


def test_the_spreads_are_those_of_the_store():
    assert CHECK["spreads"] == {"gap": plan.of_gap().entry(), "method": plan.of_methods().entry()}
    assert json.dumps(CHECK["spreads"]) in (FOLDER / "spreads.js").read_text("utf-8")


def test_the_numbers_in_the_text_are_those_of_the_check_file():
    page = plan.PAGE.read_text("utf-8")
    assert with_numbers(page, plan.facts(CHECK["spreads"]), plan.SOURCE) == page


def test_the_fewest_hospitals_are_those_of_the_package(planner):
    spread = plan.Spread(*(CHECK["spreads"]["gap"][name] for name in plan.Spread._fields))
    needed = planner.evaluate(
        "(spread) => window.medgenPower.needed({ question: 'gap', effect: 0.05, patients: 200, seeds: 3, auroc: 0.8, "
        "prevalence: 0.3 }, spread)",
        CHECK["spreads"]["gap"],
    )
    assert needed == plan.hospitals_needed("gap", spread=spread, **plan.STUDY)


def test_everything_works_by_keyboard(planner):
    before = planner.locator(WORDS).inner_text()
    slider = planner.get_by_role("slider", name="Hospitals", exact=True)
    slider.focus()
    planner.keyboard.press("ArrowRight")
    after = planner.locator(WORDS).inner_text()
    assert after.startswith("With 6 hospitals of 200 patients") and after != before
    assert slider.get_attribute("aria-valuetext") == "6"
    planner.get_by_label("We want to see").select_option("method")
    assert "a mean gain of 0.05" in planner.locator(WORDS).inner_text()
    planner.get_by_role("button", name="Copy the sentence").press("Enter")
    planner.get_by_role("status").filter(has_text="Copied").or_(
        planner.get_by_role("status").filter(has_text="Selected")
    ).wait_for()
    planner.get_by_label("We want to see").select_option("gap")


def test_one_hospital_gets_no_chance_and_an_impossible_study_its_reason(planner):
    slider = planner.get_by_role("slider", name="Hospitals", exact=True)
    slider.fill("0")
    words = planner.locator(WORDS).inner_text()
    assert (
        words.startswith("One hospital, however many its patients, says nothing about others")
        and " chance" not in words
    )
    planner.get_by_role("slider", name="AUROC").fill("6")
    planner.get_by_role("slider", name="Difference to see").fill("8")
    assert "No such study: a score of 1.05 cannot be" in planner.locator(WORDS).inner_text()
    planner.reload()
    planner.locator(".mgp").wait_for()


def test_it_asks_nobody_and_weighs_little(planner):
    assert planner.complaints == []
    own = (FOLDER.parent.as_uri(), EXPLORER.as_uri(), "data:")
    assert all(url.startswith(own) for url in planner.requests)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 200_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, axe, scheme):
    page = visit(browser, ALONE, color_scheme=scheme)
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    page.context.close()


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_phone(browser, width):
    page = visit(browser, ALONE, viewport={"width": width, "height": 900}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.locator(".mgp button, .mgp select").evaluate_all("all => all.map(one => one.offsetHeight)")
    assert min(heights) >= 40
    page.context.close()


@pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")
def test_without_script_the_chapter_shows_the_figure(browser, address):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{address}chapters/plan.html")
    assert page.locator(".mg-plan img").get_attribute("alt").startswith("The chance to see a gap")
    page.context.close()
