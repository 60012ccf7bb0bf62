"""The literature map in a browser: graphs, filters, count; by keyboard, on a phone, in the dark, without scripts."""

import pytest

from tests.explorer.examples import check_chapter, check_controls, visit
from tools import ROOT, SITE
from tools.atlas.page import FOLDER
from tools.atlas.works import load

ALONE = (ROOT / FOLDER / "index.html").as_uri()
ROWS = ".mg-atlas-works tbody tr:visible"


@pytest.fixture(scope="module")
def works():
    return load().works


@pytest.fixture(scope="module")
def atlas(browser):
    page = visit(browser, ALONE)
    yield page
    page.context.close()


@pytest.fixture(autouse=True)
def from_the_start(atlas):
    atlas.get_by_role("button", name="Show all works").click()


def names(page) -> list[str]:
    return page.locator(f"{ROWS} td:first-child a").all_inner_texts()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("covariate", "Covariate shift"),
        ("prior", "Prior shift"),
        ("concept", "Concept shift"),
        ("shortcut", "Shortcut"),
    ],
)
def test_a_graph_opens_its_works_its_clinic_and_its_claims(atlas, name, title, works):
    mine = [work.name for work in works if name in work.shift]
    graph = atlas.get_by_role("button", name=f"{title}: {len(mine)} works")
    graph.focus()
    atlas.keyboard.press("Enter")
    assert graph.get_attribute("aria-pressed") == "true" and names(atlas) == mine
    opened = atlas.locator(".mga-opened").inner_text()
    assert all(part in opened for part in ("On the clinic:", "Claims:", mine[0]))
    assert (
        atlas.locator(".mgx-words").inner_text().startswith(f"{len(mine)} of {len(works)} works (name {title.lower()})")
    )
    atlas.keyboard.press("Enter")
    assert len(names(atlas)) == len(works) and not atlas.locator(".mga-opened").is_visible()


def test_filters_narrow_the_table_together(atlas, works):
    atlas.get_by_role("combobox", name="Kind").select_option("remedy")
    atlas.get_by_role("combobox", name="Family of remedy").select_option("alignment of features")
    atlas.get_by_label("runs in this book").check()
    mine = [w for w in works if (w.kind, w.family) == ("remedy", "alignment of features") and w.executed]
    assert names(atlas) == [work.name for work in mine]
    atlas.get_by_role("spinbutton", name="From").fill("2018")
    assert names(atlas) == [work.name for work in mine if work.year >= 2018] != []


@pytest.mark.parametrize(
    ("label", "meets"),
    [
        ("says how many sites", lambda w: w.sites),
        ("runs in this book", lambda w: w.executed),
        ("source of a claim", lambda w: w.claims),
    ],
)
def test_ticks_ask_for_what_the_entries_say(atlas, label, meets, works):
    atlas.get_by_label(label).check()
    assert names(atlas) == [work.name for work in works if meets(work)]


def test_images_search_and_order(atlas, works):
    atlas.get_by_role("combobox", name="Images").select_option("chest X-ray")
    assert names(atlas) == [work.name for work in works if "chest X-ray" in work.modality]
    atlas.get_by_role("combobox", name="Order").select_option("newest first")
    years = [int(name[-4:]) for name in names(atlas)]
    assert years == sorted(years, reverse=True) and len(set(years)) > 3
    atlas.get_by_role("searchbox", name="Search").fill("no such work")
    assert names(atlas) == [] and "Nothing fits" in atlas.locator(".mgx-words").inner_text()


def test_state_is_announced_and_the_table_stays_a_table(atlas, works):
    assert atlas.locator(".mgx-words").get_attribute("aria-live") == "polite"
    assert atlas.get_by_role("row").count() == len(works) + 1


def test_it_asks_nobody_and_weighs_little(atlas):
    assert atlas.complaints == []
    assert all(url.startswith(((ROOT / "explorer" / "pages").as_uri(), "data:")) for url in atlas.requests)
    assert sum(path.stat().st_size for path in (ROOT / FOLDER).iterdir()) < 200_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, axe, scheme):
    page = visit(browser, ALONE, color_scheme=scheme)
    page.get_by_role("button", name="Shortcut").click()
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    page.context.close()


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_phone(atlas, width):
    check_controls(atlas, width)


def test_print_and_pages_without_scripts_show_drawing_and_table(atlas, browser, works):
    atlas.get_by_role("button", name="Shortcut").click()
    assert not atlas.locator(".mg-atlas > img").is_visible()
    atlas.emulate_media(media="print")
    assert atlas.locator(".mg-atlas > img").is_visible() and not atlas.locator(".mga").is_visible()
    assert len(names(atlas)) == len(works), "paper shows every work, whatever was chosen"
    atlas.emulate_media(media="screen")
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(ALONE)
    assert plain.locator(".mg-atlas > img").is_visible() and plain.locator(".mga").count() == 0
    assert len(names(plain)) == len(works) and plain.get_by_role("heading", name="Prior shift").is_visible()
    context.close()


@pytest.mark.skipif(not (SITE / "chapters" / "atlas.html").is_file(), reason="the site is not built: run `make book`")
def test_page_of_the_book_runs_the_map(browser, works):
    check_chapter(browser, SITE, "atlas")
    page = visit(browser, (SITE / "chapters" / "atlas.html").as_uri())
    page.get_by_role("button", name="Prior shift").click()
    assert names(page) == [work.name for work in works if "prior" in work.shift]
    assert "On the clinic" in page.locator(".mga-opened").inner_text()
    page.emulate_media(media="print")
    assert len(names(page)) == len(works), "paper shows every work, whatever was chosen"
    page.context.close()
