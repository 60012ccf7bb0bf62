"""What is wider than the page shows, in a browser, on which side there is more of it."""

import pytest

from tests.site import sample
from tests.site.test_site import PAGES, SITE

ROW = "<tr>" + "".join(f"<td>column_{i:02}</td>" for i in range(30)) + "</tr>"
STRIPED = f'<div class="pst-scrollable-table-container"><table style="background: #ddd">{ROW * 4}</table></div>'
CODE = f'<div class="highlight"><pre>{"x" * 300}</pre></div>'
SHORT = '<div class="highlight"><pre>x = 1</pre></div>'
SHADES = "frame => ['::before', '::after'].map(edge => getComputedStyle(frame, edge).opacity)"


@pytest.fixture
def visit(browser, tmp_path):
    contexts = []

    def opened(body: str, width: int = 900):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}))
        tab = contexts[-1].new_page()
        tab.goto(sample.write(tmp_path, body, "scroll.js"))
        tab.add_style_tag(content="pre { overflow: auto; }")
        tab.wait_for_timeout(100)
        return tab

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("body", "scroller"), [(STRIPED, ".pst-scrollable-table-container"), (CODE, "pre")])
def test_the_shade_is_where_more_is(visit, body, scroller):
    tab = visit(body)
    frame, pane = tab.locator(".mg-wide"), tab.locator(scroller)
    assert frame.evaluate(SHADES) == ["0", "1"]
    pane.evaluate("pane => (pane.scrollLeft = 100)")
    tab.wait_for_timeout(100)
    assert frame.evaluate(SHADES) == ["1", "1"]
    pane.evaluate("pane => (pane.scrollLeft = 100000)")
    tab.wait_for_timeout(100)
    assert frame.evaluate(SHADES) == ["1", "0"]


def test_the_shade_lies_above_striped_rows_and_lets_clicks_through(visit):
    tab = visit(STRIPED)
    style = "edge => (style => [style.position, style.zIndex, style.pointerEvents])(getComputedStyle(edge, '::after'))"
    assert tab.locator(".mg-wide").evaluate(style) == ["absolute", "1", "none"]


def test_a_wide_table_scrolls_by_keyboard_and_says_so(visit):
    tab = visit(STRIPED)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Table, scrolls sideways"
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("document.activeElement.scrollLeft > 0")


def test_what_fits_is_left_alone_until_it_does_not(visit):
    tab = visit(SHORT)
    assert tab.locator(".mg-wide").count() == 0
    tab.locator("pre").evaluate("pre => (pre.style.width = '20px')")
    tab.wait_for_timeout(400)
    assert tab.locator(".mg-wide").evaluate(SHADES) == ["0", "1"]
    tab.locator("pre").evaluate("pre => (pre.style.width = '')")
    tab.wait_for_timeout(400)
    assert tab.locator(".mg-wide").evaluate(SHADES) == ["0", "0"]
    assert tab.locator("pre").get_attribute("tabindex") == "-1"


@pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")
@pytest.mark.parametrize("page", PAGES)
def test_no_table_of_the_site_loses_a_column_on_a_desk(browser, address, page):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.goto(f"{address}{page}.html")
    lost = """boxes => boxes.filter(box => box.querySelector('table') && box.scrollWidth > box.clientWidth + 1)
        .map(box => `${box.scrollWidth - box.clientWidth} px: ${box.innerText.slice(0, 60)}`)"""
    assert tab.locator("article .pst-scrollable-table-container, article .text_html").evaluate_all(lost) == []
    context.close()
