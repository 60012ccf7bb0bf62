"""Figures open large in a browser, by click, finger and key, and give the focus back."""

import base64
import io

import pytest
from PIL import Image

from tests.site import sample
from tests.site.test_site import PAGES, SITE

ALT = "Two bars, the second one shorter. Bars have no names."


def picture(width: int = 880, height: int = 500) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{ALT}" width="{width}" height="{height}" src="data:image/png;base64,{data}">'


FIGURE = (
    f'<div class="cell_output"><figure>{picture()}<figcaption><p><span class="caption-number">Fig. 3 </span>'
    'A caption.<a class="headerlink" href="#x">#</a></p></figcaption></figure></div>'
)


@pytest.fixture
def visit(browser, tmp_path):
    contexts = []

    def opened(body: str, width: int = 1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        tab = contexts[-1].new_page()
        tab.goto(sample.write(tmp_path, body, "large.js"))
        return tab

    yield opened
    for context in contexts:
        context.close()


def width_of(tab) -> float:
    return tab.locator("dialog img").bounding_box()["width"]


def test_a_click_opens_it_with_its_words(visit):
    tab = visit(FIGURE)
    on_page = tab.locator("figure img").bounding_box()["width"]
    tab.locator("figure img").click()
    dialog = tab.get_by_role("dialog", name="Fig. 3")
    assert dialog.get_by_role("img").get_attribute("alt") == ALT
    assert dialog.locator("p").inner_text() == "Fig. 3 A caption."
    assert width_of(tab) > 1.3 * on_page
    assert tab.get_by_alt_text(ALT).count() == 2  # the page keeps its own


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_key_opens_it_and_escape_gives_the_focus_back(visit, key):
    tab = visit(FIGURE)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge: Fig. 3"
    tab.keyboard.press(key)
    assert tab.get_by_role("dialog").is_visible()
    tab.keyboard.press("Escape")
    assert tab.get_by_role("dialog").is_hidden()
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge: Fig. 3"


@pytest.mark.parametrize("way", ["button", "beside"])
def test_it_closes_by_mouse_too(visit, way):
    tab = visit(FIGURE)
    tab.locator("figure img").click()
    tab.get_by_role("button", name="Close").click() if way == "button" else tab.mouse.click(3, 400)
    assert tab.get_by_role("dialog").is_hidden()
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge: Fig. 3"


def test_on_a_phone_a_tap_shows_it_as_it_was_drawn_and_it_scrolls(visit):
    tab = visit(FIGURE, width=390, has_touch=True)
    on_page = tab.locator("figure img").bounding_box()["width"]
    tab.locator("figure img").tap()
    assert width_of(tab) == pytest.approx(880, abs=1)
    assert width_of(tab) > 2 * on_page
    pane = tab.get_by_role("group", name="The figure, to scroll")
    assert pane.evaluate("pane => pane.scrollWidth > pane.clientWidth && pane === document.activeElement")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_tall_figure_opens_larger_than_on_the_page(visit):
    tab = visit(f'<div class="cell_output">{picture(500, 1500)}</div>')
    on_page = tab.locator("article img").bounding_box()["width"]
    tab.locator("article img").click()
    assert width_of(tab) == pytest.approx(1.6 * on_page, abs=2)


def test_it_grows_and_shrinks_within_bounds(visit):
    tab = visit(FIGURE)
    tab.locator("figure img").click()
    fits = width_of(tab)
    tab.get_by_role("button", name="Larger").click()
    assert width_of(tab) == pytest.approx(1.5 * fits, abs=2)
    tab.keyboard.press("+")
    assert width_of(tab) == pytest.approx(2.25 * fits, abs=2)
    for _ in range(5):
        tab.keyboard.press("-")
    assert width_of(tab) == pytest.approx(fits, abs=2)
    assert tab.get_by_role("button", name="Smaller").is_disabled()


def test_icons_links_and_the_explorer_do_not_open(visit):
    explorer = f'<div class="mg-explorer"><figure>{picture()}</figure></div>'
    tab = visit(f'<p>{picture(24, 24)}</p><p><a href="#x">{picture()}</a></p>{explorer}')
    assert tab.get_by_role("button").count() == 0


def test_axe_finds_nothing_on_the_page_and_in_the_dialog(visit, axe):
    tab = visit(FIGURE)
    for _ in range(2):
        tab.evaluate(axe)
        found = tab.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
        if tab.locator("dialog").count() == 0:
            tab.locator("figure img").click()


def test_paper_shows_no_button(visit):
    tab = visit(FIGURE)
    tab.emulate_media(media="print")
    assert tab.locator("button:visible").count() == 0


@pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")
@pytest.mark.parametrize("page", PAGES)
def test_every_figure_of_the_site_opens(browser, address, page):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{address}{page}.html")
    small = "image => (Number(image.getAttribute('width')) || image.naturalWidth) < 120"
    closed = "article img:not(.mg-figure img, .mg-explorer img, a img)"
    assert tab.locator(closed).evaluate_all(f"images => images.filter(image => !({small})(image)).length") == 0
    context.close()
