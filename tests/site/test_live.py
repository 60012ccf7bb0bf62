"""A live page opens within the chapter that leads to it, and only when the reader asks."""

import pytest

from tests.site.test_site import SITE

pytestmark = pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")

CHAPTERS = ["chapters/generalization_gap", "chapters/domain_shift", "chapters/data_augmentation"]
NAME = "Open Become the scanner here"


@pytest.fixture
def visit(browser, address):
    contexts = []

    def opened(page: str, **options):
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        tab.goto(f"{address}{page}.html")
        return tab

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("page", CHAPTERS)
def test_it_opens_and_closes_by_keyboard(visit, page):
    tab = visit(page, color_scheme="dark")
    assert tab.locator("iframe").count() == 0
    button = tab.get_by_role("button", name=NAME)
    button.focus()
    tab.keyboard.press("Enter")
    inside = tab.frame_locator("iframe[title='Become the scanner']")
    inside.get_by_role("slider", name="Gain").wait_for(timeout=60_000)
    tab.wait_for_function("frames[0].document.querySelector('main p a').target === '_top'")
    assert inside.locator("html").get_attribute("data-theme") == "dark"
    close = tab.get_by_role("button", name="Close Become the scanner")
    assert close.get_attribute("aria-expanded") == "true"
    close.press("Enter")
    assert tab.locator("iframe").count() == 0


def test_it_fits_a_phone(visit):
    tab = visit(CHAPTERS[0], viewport={"width": 360, "height": 780})
    tab.get_by_role("button", name=NAME).click()
    inside = tab.frame_locator("iframe")
    inside.get_by_role("slider", name="Gain").wait_for(timeout=60_000)
    assert inside.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_live_page_does_not_offer_itself_and_the_home_page_keeps_its_table(visit):
    assert visit("chapters/explore").locator(".mg-live").count() == 0
    assert visit("chapters/index").locator("table .mg-live").count() == 0


def test_paper_keeps_the_link_alone(visit):
    tab = visit(CHAPTERS[0])
    tab.emulate_media(media="print")
    assert tab.get_by_role("button", name=NAME).count() == 0
