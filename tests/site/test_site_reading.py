"""Reading the built site: sliders, previews, search, print, what a page says about itself, accessibility, weight."""

import gzip
import json
import re
import zipfile
from urllib.parse import urlsplit

import pytest
import yaml
from PIL import Image, ImageChops

from tests.site.test_site import PAGES, ROOT, SITE, html, pages
from tools.publish import archive
from tools.site import finish

pytestmark = pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")

NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.ipynb").is_file()]
notebooks = pytest.mark.parametrize("page", NOTEBOOKS)
MEGABYTE = 1_000_000
PACKED = {".html", ".js", ".css", ".svg", ".json"}


def meta(page: str, name: str) -> str:
    tag = html(page).find("meta", attrs={"name": name}) or html(page).find("meta", property=name)
    return tag["content"]


# What a page says about itself


@pages
def test_page_describes_itself(page):
    assert 30 <= len(meta(page, "description")) <= 210
    assert meta(page, "og:description") == meta(page, "description")
    assert meta(page, "og:title") and meta(page, "og:site_name")


def test_descriptions_tell_pages_apart():
    assert len({meta(page, "description") for page in PAGES}) == len(PAGES)


def test_the_form_of_a_problem_has_the_fields_that_links_fill_in():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/problem.yml").read_text(encoding="utf-8"))
    assert {"chapter", "version"} <= {field.get("id") for field in form["body"]}


@notebooks
def test_page_says_when_and_with_what_it_was_run(page):
    executed = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["metadata"]["medgen"]["executed"]
    words = html(page).select_one(".mg-stamp").get_text()
    for part in (executed["date"], f"{executed['mode']} mode", executed["torch"], executed["python"]):
        assert part in words


@pages
def test_page_leads_on_and_back(page):
    directions = {link["title"].split()[0] for link in html(page).select(".prev-next-area a")}
    wanted = {"previous": page != PAGES[0], "next": page != PAGES[-1]}
    assert directions == {name for name, there in wanted.items() if there}


# Weight


def transferred(page: str) -> int:
    """Bytes of a page with everything it may load, figures far below too, as a server with gzip sends them."""
    here = SITE / f"{page}.html"
    links = [
        tag.get("src") or tag.get("href") for tag in html(page).select("script[src], img[src], link[rel=stylesheet]")
    ]
    files = {here, *((here.parent / urlsplit(link).path).resolve() for link in links if not link.startswith("data:"))}
    if any("mathjax" in str(file) for file in files):
        fonts = SITE / "mathjax/output/chtml/fonts/woff-v2"
        files |= {fonts / f"MathJax_{name}.woff" for name in ("Main-Regular", "Math-Italic", "Size1-Regular")}
    return sum(len(gzip.compress(f.read_bytes())) if f.suffix in PACKED else f.stat().st_size for f in files)


@pages
def test_page_weighs_less_than_a_megabyte(page):
    assert transferred(page) < MEGABYTE


@pages
def test_figures_are_sized_and_light(page):
    for image in html(page).select("article img[src*='_images/']"):
        assert image["src"].endswith((".webp", ".svg"))
        if image["src"].endswith(".svg"):  # drawn by hand: its own tests hold its size
            continue
        picture = Image.open(SITE / "chapters" / image["src"])
        assert (int(image["width"]), int(image["height"])) == picture.size


def test_figures_lose_nothing(tmp_path):
    picture = Image.effect_noise((40, 30), 90).convert("RGB")
    (tmp_path / "_images").mkdir()
    (tmp_path / "chapters").mkdir()
    picture.save(tmp_path / "_images" / "a.png")
    text = '<img alt="x" src="../_images/a.png" />'
    text = finish.lighten_figures(text, tmp_path / "chapters" / "page.html")
    assert 'src="../_images/a.webp" width="40" height="30"' in text
    assert Image.open(tmp_path / "_images" / "a.webp").convert("RGB").tobytes() == picture.tobytes()


def test_heavy_figures_have_fewer_colours_where_nobody_can_see_it():
    few = Image.effect_noise((300, 300), 90).convert("RGBA")  # greys, as a frame of ultrasound
    found = finish.fewer_colours(few)
    assert found.mode == "RGB" and len(found.getcolors(90_000)) <= 256
    assert max(high for _, high in ImageChops.difference(few.convert("RGB"), found).getextrema()) <= finish.UNSEEN
    many = Image.merge("RGB", [Image.effect_noise((300, 300), 90) for _ in range(3)])
    assert finish.fewer_colours(many) is many
    glass = few.copy()
    glass.putalpha(100)
    assert finish.fewer_colours(glass) is glass


# Sliders


@notebooks
def test_sliders_are_light_and_labelled(page):
    for box in html(page).select(".medgen-explore"):
        frames = [image["src"] for image in box.select("img")]
        assert all(frame.startswith("data:image/webp;base64,") for frame in frames)
        assert sum(len(frame) for frame in frames) * 3 / 4 < 150_000
        assert box.select_one("label span").get_text().strip()
        assert all(image["alt"].strip() for image in box.select("img"))


@notebooks
def test_every_chapter_has_a_value_that_moves(page):
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert any(re.search(r"\bexplore\(", text) for text in code)


SLIDERS = [
    page for page in NOTEBOOKS if re.search(r"\bexplore\(", (ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))
]


def open_page(browser, url: str, **options):
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    page.goto(url)
    return page


@pytest.mark.parametrize("page", SLIDERS)
def test_a_slider_moves_by_keyboard_and_says_so(browser, address, page):
    tab = open_page(browser, f"{address}{page}.html")
    for i in range(tab.locator(".medgen-explore").count()):
        box = tab.locator(".medgen-explore").nth(i)
        handle = box.get_by_role("slider")
        assert box.locator("label span").inner_text() in handle.evaluate("h => h.labels[0].textContent")
        handle.press("Home")
        shown = []
        for key in ("ArrowRight", "End"):
            before = box.locator("figure:visible img").get_attribute("alt")
            handle.press(key)
            assert box.locator("figure:visible").count() == 1
            value = box.locator("figure:visible").get_attribute("data-value")
            assert box.locator("output").inner_text() == value == handle.get_attribute("aria-valuetext")
            shown += [before, box.locator("figure:visible img").get_attribute("alt")]
        assert len(set(shown)) > 1
    tab.context.close()


# Print


def test_print_shows_all_frames_and_open_answers_and_no_menu(browser, address):
    tab = open_page(browser, f"{address}{SLIDERS[0]}.html", viewport={"width": 760, "height": 1000})
    frames = tab.locator(".medgen-explore figure").count()
    closed = "[...document.querySelectorAll('article details:not(.hide)')].filter(d => !d.open).length"
    assert tab.evaluate(closed) > 0
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(closed) == 0
    assert frames > 1 and tab.locator(".medgen-explore figure:visible").count() == frames
    assert (
        tab.locator(".bd-sidebar-primary:visible, .prev-next-area:visible, .medgen-explore input:visible").count() == 0
    )
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(closed) > 0
    tab.context.close()


# Previews, search, the disk


def preview_links(page: str) -> list[str]:
    links = html(page).select("article a[href]")
    return [a["href"] for a in links if re.match(r"(glossary|references)\.html#(term|ref)-", a["href"])]


def test_every_preview_has_its_text():
    script = (SITE / "_static/definitions.js").read_text(encoding="utf-8")
    texts = json.loads(script.removeprefix("window.bookDefinitions = ").removesuffix(";\n"))
    wanted = {link.lower() for page in PAGES for link in preview_links(page)}
    assert len(wanted) > 20
    assert wanted - set(texts) == set()
    assert all(len(text) > 20 for text in texts.values())


@pytest.mark.parametrize("place", ["server", "disk"])
@pytest.mark.parametrize("target", ["glossary", "references"])
def test_a_link_shows_its_meaning_on_hover_and_focus(browser, address, place, target):
    base = address if place == "server" else f"{SITE.as_uri()}/"
    tab = open_page(browser, f"{base}{NOTEBOOKS[0]}.html")
    link = tab.locator(f"article a[href^='{target}.html#']").first
    card = tab.get_by_role("tooltip")
    tab.evaluate("window.MathJax?.startup?.promise")  # formulas that are still being set move the link away
    link.scroll_into_view_if_needed()
    tab.wait_for_timeout(500)  # a scroll hides the preview
    link.hover()
    card.wait_for()
    assert len(card.inner_text()) > 20
    assert link.get_attribute("aria-describedby") == card.get_attribute("id")
    card.hover()  # one may move onto the card
    tab.wait_for_timeout(400)
    assert card.is_visible()
    tab.keyboard.press("Escape")
    assert card.is_hidden() and link.get_attribute("aria-describedby") is None
    tab.mouse.move(5, 5)
    link.evaluate("link => link.focus({preventScroll: true})")  # after a key: focus is visible
    card.wait_for()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('aria-describedby')") or card.is_hidden()
    tab.context.close()


@pytest.mark.parametrize("place", ["server", "disk"])
def test_search_finds_a_word(browser, address, place):
    base = address if place == "server" else f"{SITE.as_uri()}/"
    tab = open_page(browser, f"{base}{PAGES[0]}.html")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("prevalence")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=prevalence*")
    tab.locator("#search-results li a").first.wait_for()
    assert tab.locator("#search-results li").count() > 2
    tab.context.close()


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("CORAL", "feature_alignment"),
        ("domain shift", "domain_shift"),
        ("meta-learning", "meta_learning"),
        ("graders", "concept_shift"),
        ("leakage", "evaluation_protocols"),
        ("Tent", "outlook"),
    ],
)
def test_search_shows_the_chapter_first_or_after_its_terms(browser, address, words, page):
    tab = open_page(browser, f"{address}search.html?q={words}")
    tab.wait_for_function("document.querySelector('.search-summary')?.textContent.includes('finished')")
    found = tab.locator("#search-results > ul > li > a").evaluate_all("links => links.map(link => link.href)")
    first = next(link for link in found if "glossary.html" not in link)
    assert f"/{page}.html" in first
    tab.context.close()


def test_zip_of_the_site_opens_from_the_disk(browser, tmp_path):
    with zipfile.ZipFile(archive.pack(SITE, tmp_path / "book.zip")) as packed:
        packed.extractall(tmp_path)
    home = next(tmp_path.glob("*/index.html"))
    complaints = []
    context = browser.new_context()
    tab = context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("requestfailed", lambda request: complaints.append(request.url))
    tab.goto(home.as_uri())
    tab.wait_for_url("**/chapters/index.html")
    tab.locator(".prev-next-area a.right-next").click()
    tab.wait_for_url("**/generalization_gap.html")
    tab.locator("article mjx-container").first.wait_for()
    assert complaints == []
    context.close()


# Everyone


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("page", [*PAGES, "search", "genindex", "404"])
def test_axe_finds_nothing(browser, address, axe, page, scheme, width):
    tab = open_page(browser, f"{address}{page}.html", color_scheme=scheme, viewport={"width": width, "height": 800})
    tab.evaluate(axe)
    found = tab.evaluate("axe.run({resultTypes: ['violations'], iframes: false})")["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in found] == []
    tab.context.close()


def test_axe_would_notice(browser, axe):
    tab = open_page(browser, "data:text/html,<html><body><img src='data:,'><p>x</p></body></html>")
    tab.evaluate(axe)
    found = {violation["id"] for violation in tab.evaluate("axe.run()")["violations"]}
    assert {"image-alt", "html-has-lang"} <= found
    tab.context.close()


def test_keyboard_reaches_the_text_first_and_then_the_menu(browser, address):
    tab = open_page(browser, f"{address}{PAGES[0]}.html")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent.trim()").startswith("Skip to main content")
    seen = []
    ring = "(s => s.outlineStyle !== 'none' || s.boxShadow !== 'none')(getComputedStyle(document.activeElement))"
    for _ in range(8):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("document.activeElement.tagName"))
        assert tab.evaluate(ring)
    assert set(seen) <= {"A", "BUTTON", "INPUT", "SUMMARY", "DIV", "BODY"}
    tab.context.close()


def test_the_theme_is_chosen_before_the_first_paint(browser, address):
    for scheme in ("light", "dark"):
        tab = open_page(browser, f"{address}{PAGES[0]}.html", color_scheme=scheme, java_script_enabled=True)
        tab.route("**/*.js*", lambda route: route.abort())
        tab.reload()
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        tab.context.close()


def test_code_has_the_colours_of_the_theme():
    colours = (SITE / "_static" / "pygments.css").read_text(encoding="utf-8").strip()
    assert 'html[data-theme="dark"] .highlight' in colours
    assert colours in (SITE / "_static" / "book.css").read_text(encoding="utf-8")
