"""What the tests of the live pages share: its files as networks and images, settings, and a page that has settled."""

import functools
import json
from pathlib import Path

import pytest
import torch

from explorer import export

FOLDER = export.FOLDER
PATIENCE = 240_000  # milliseconds for what takes less than a second, or two, on a machine that is not busy
SCANNERS = {"home": {}, **export.AWAY, "all at once": {**export.AWAY["little"], "stain": 0.7, "marker": 0.35}}
scanners = pytest.mark.parametrize("scanner", SCANNERS)
networks = pytest.mark.parametrize("name", export.NAMES)


@functools.cache
def lesions() -> export.TestSet:
    return export.test_set()


@functools.cache
def network(name: str) -> torch.nn.Sequential:
    return export.unpack(export.read_script(FOLDER / f"{name}.js"))


@functools.cache
def results() -> dict:
    return json.loads((FOLDER / "check.json").read_text("utf-8"))


def settings(scanner: str) -> dict[str, float]:
    return export.HOME | SCANNERS[scanner]


def visit(browser, url: str, **context):
    """Open a live page and wait until it has said how it stands; the page knows its requests and complaints."""
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("requestfailed", lambda request: page.complaints.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: page.complaints.append(f"script error: {error}"))
    page.on("console", lambda message: message.type in ("error", "warning") and page.complaints.append(message.text))
    page.goto(url, wait_until="load")
    settle(page)
    return page


def settle(page) -> str:
    """Wait until nothing is computed any more; what the page then says in words."""
    page.wait_for_function("document.querySelector('.mgx')?.getAttribute('aria-busy') === 'false'", timeout=PATIENCE)
    return page.locator(".mgx-words").text_content()


def check_controls(page, width: int) -> None:
    """At this width nothing scrolls sideways and every control is large enough for a finger."""
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        """[...document.querySelectorAll('.mgx button, .mgx input')].map((one) => {
            const box = one.getBoundingClientRect(); return Math.min(box.width, box.height); })"""
    )
    assert min(sizes) >= 24
    page.set_viewport_size({"width": 1280, "height": 900})


def check_figure(page, browser, url: str, selector: str) -> None:
    """The figure stands for the live page in print and without scripts, and only there."""
    picture, live = page.locator(selector), page.locator(".mgx")
    assert live.is_visible() and not picture.is_visible()
    page.emulate_media(media="print")
    assert picture.is_visible() and not live.is_visible()
    assert picture.evaluate("image => image.naturalWidth") > 800
    page.emulate_media(media="screen")
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(url)
    assert plain.locator(selector).is_visible() and plain.locator(".mgx").count() == 0
    context.close()


def check_chapter(browser, site: Path, name: str) -> None:
    """The chapter of the built site opens the live page without a complaint, and asks nobody else."""
    page = visit(browser, (site / "chapters" / f"{name}.html").as_uri())
    assert page.complaints == [] and not page.get_by_text("{{").count()
    assert all(url.startswith((site.as_uri(), "data:", "blob:")) for url in page.requests)
    page.context.close()
