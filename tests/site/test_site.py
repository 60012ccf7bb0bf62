"""The built site (`make book`), page by page: as files, and in a headless browser where one is installed."""

import functools
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from bs4 import BeautifulSoup

from tools import ROOT, SITE
from tools.publish import links


def toc_pages() -> list[str]:
    """The pages of _toc.yml, the home page first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *(page["file"] for chapter in chapters for page in (chapter, *chapter.get("sections", [])))]


PAGES = toc_pages()
pages = pytest.mark.parametrize("page", PAGES)
pytestmark = pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def html(page: str) -> BeautifulSoup:
    return soup(SITE / f"{page}.html")


def test_home_page_is_where_a_browser_looks():
    assert PAGES[0] in (SITE / "index.html").read_text(encoding="utf-8")


def test_no_page_is_built_that_is_not_in_the_toc():
    built = {str(path.relative_to(SITE).with_suffix("")) for path in (SITE / "chapters").rglob("*.html")}
    assert built == set(PAGES)


@pages
def test_images_have_alt_texts(page):
    lacking = [
        image["src"][:80]
        for image in html(page).find_all("img")
        if not image.get("alt", "").strip() or image["alt"].startswith("_images/") or image["alt"] in image["src"]
    ]
    assert lacking == []


@pages
def test_drawings_are_named_or_hidden(page):
    for drawing in html(page).select("article svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label")
    for figure in html(page).select("[role=img]"):
        assert figure.get("aria-label")


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere():
    assert links.problems(SITE) == []


@pages
def test_every_cross_reference_was_resolved(page):
    assert [span.text for span in html(page).select("span.xref") if span.find_parent("a") is None] == []


@pages
def test_page_shows_no_traceback(page):
    assert "Traceback (most recent call last)" not in html(page).get_text()


def test_not_found_page_needs_no_other_file():
    page = soup(SITE / "404.html")
    assert page.find_all(["script", "img"]) == []
    assert [link["href"] for link in page.find_all("link")] == ["data:,"]


class Visit(NamedTuple):
    """What was seen of one page: on a desk, then on phones, then in the dark."""

    complaints: list[str]
    requests: list[str]
    n_formulas: int
    n_formula_errors: int
    widths: dict[int, int]
    dark_filters: set[str]


def visit(browser, url: str) -> Visit:
    """Open a page and note every error, request and width."""
    complaints, requests = [], []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("response", lambda answer: answer.status >= 400 and complaints.append(f"missing: {answer.url}"))
    page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
    page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
    page.goto(url, wait_until="load")
    page.evaluate("window.MathJax && MathJax.startup && MathJax.startup.promise")
    widths = {}
    for width in (360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        widths[width] = page.evaluate("document.documentElement.scrollWidth")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    filters = page.evaluate("[...document.querySelectorAll('img')].map(image => getComputedStyle(image).filter)")
    assert page.evaluate("document.documentElement.dataset.theme || 'dark'") == "dark"
    seen = Visit(
        complaints,
        requests,
        page.locator("article mjx-container").count(),
        page.locator("mjx-merror").count(),
        widths,
        set(filters),
    )
    context.close()
    return seen


@pytest.fixture(scope="module")
def seen(browser, address):
    """Page name -> what a visit showed; each page is visited once."""
    return functools.cache(lambda page: visit(browser, f"{address}{page}.html"))


@pytest.mark.parametrize("page", [*PAGES, "search", "genindex", "audit/index"])
def test_page_loads_clean_and_from_this_site_only(seen, address, page):
    assert seen(page).complaints == []
    assert [url for url in seen(page).requests if not url.startswith((address, "data:", f"blob:{address}"))] == []


@pages
def test_formulas_are_rendered(seen, page):
    assert seen(page).n_formulas == len(html(page).select("article .math"))
    assert seen(page).n_formula_errors == 0


@pages
def test_page_does_not_scroll_sideways_on_a_phone(seen, page):
    assert all(scroll <= width for width, scroll in seen(page).widths.items())


@pages
def test_images_are_not_altered_in_the_dark(seen, page):
    assert seen(page).dark_filters <= {"none"}


def test_site_works_from_the_disk(browser):
    assert visit(browser, (SITE / f"{PAGES[0]}.html").as_uri()).complaints == []


def test_a_broken_page_would_be_noticed(seen):
    assert any("missing" in complaint for complaint in seen("no-such-page").complaints)
