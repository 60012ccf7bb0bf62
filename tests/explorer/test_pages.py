"""Every reader can use the explorer: by keyboard, by finger, in print, without scripts, from the disk."""

import pytest

from explorer import export
from tests.explorer.examples import FOLDER, PATIENCE, results, settle, visit
from tools import SITE


def test_explorer_runs_from_the_disk_and_asks_nobody(explorer):
    assert explorer.complaints == []
    assert all(url.startswith((FOLDER.parent.as_uri(), "data:")) for url in explorer.requests)


def test_shown_numbers_are_those_of_the_check_file(explorer):
    explorer.get_by_role("button", name="Dark").click()
    words = settle(explorer)
    for name, title in (("erm", "ERM"), ("augmented", "Augmented")):
        assert f"{results()['scanners']['dark'][name]['auroc']:.2f} for {title}" in words
    explorer.get_by_role("button", name="Reset").click()
    assert "as at home" in settle(explorer)


def test_everything_works_by_keyboard(explorer):
    before = settle(explorer)
    gain = explorer.get_by_role("slider", name="Gain")
    gain.focus()
    explorer.keyboard.press("ArrowLeft")
    explorer.keyboard.press("ArrowLeft")
    words = settle(explorer)
    assert "gain 0.90" in words and words != before
    assert gain.get_attribute("aria-valuetext") == "0.90, training hospitals 1.00"
    explorer.get_by_role("button", name="Next").focus()
    explorer.keyboard.press("Enter")
    assert "Lesion 6," in settle(explorer)
    explorer.get_by_label("marker on this lesion").focus()
    marker = "with marker" in settle(explorer)
    explorer.keyboard.press("Space")
    assert ("with marker" in settle(explorer)) is not marker
    explorer.get_by_role("button", name="Draw the whole curve").press("Enter")
    explorer.wait_for_function(
        "document.querySelector('.mgx-words').textContent.startsWith('The curve is drawn')", timeout=PATIENCE
    )
    assert explorer.locator(".mgx-plot circle").count() >= 13
    explorer.get_by_role("button", name="Reset").press("Enter")
    settle(explorer)


def test_every_control_has_a_name_and_the_state_is_announced(explorer):
    unnamed = explorer.evaluate(
        """[...document.querySelectorAll('.mgx input')].filter(
            (input) => !input.labels.length || !input.labels[0].textContent.trim()).length"""
    )
    assert unnamed == 0
    assert explorer.locator(".mgx [role=img]:not([aria-label])").count() == 0
    assert explorer.locator(".mgx-words").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, axe, scheme):
    page = visit(browser, (FOLDER / "index.html").as_uri(), color_scheme=scheme)
    page.get_by_role("button", name="Noisy").click()
    settle(page)
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    page.context.close()


def test_on_a_desk_lesion_sliders_and_curve_are_seen_together(explorer):
    explorer.set_viewport_size({"width": 1280, "height": 800})
    explorer.locator(".mgx-bench").evaluate("bench => bench.scrollIntoView()")
    parts = (".mgx-slider", ".mgx-pictures", ".mgx-plot")
    gain, lesion, curve = (explorer.locator(part).first.bounding_box() for part in parts)
    for box in (gain, lesion, curve):
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    assert curve["x"] > gain["x"] + gain["width"]
    explorer.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("width", [320, 360])
def test_no_sideways_scroll_and_controls_large_enough_for_a_finger(explorer, width):
    explorer.set_viewport_size({"width": width, "height": 800})
    assert explorer.evaluate("document.documentElement.scrollWidth") <= width
    sizes = explorer.evaluate(
        """[...document.querySelectorAll('.mgx button, .mgx input')].map((one) => {
            const box = one.getBoundingClientRect(); return Math.min(box.width, box.height); })"""
    )
    assert min(sizes) >= 24
    explorer.set_viewport_size({"width": 1280, "height": 900})


def test_print_shows_the_figure_and_no_sliders(explorer):
    picture, live = explorer.locator(".mg-explorer img"), explorer.locator(".mgx")
    assert live.is_visible() and not picture.is_visible()
    explorer.emulate_media(media="print")
    assert picture.is_visible() and not live.is_visible()
    assert explorer.evaluate("document.querySelector('.mg-explorer img').naturalWidth") > 800
    explorer.emulate_media(media="screen")


def test_without_scripts_the_figure_stands_for_the_explorer(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((FOLDER / "index.html").as_uri())
    assert page.locator(".mg-explorer img").is_visible() and page.locator(".mgx").count() == 0
    context.close()


def test_reduced_motion_is_respected(browser):
    page = visit(browser, (FOLDER / "index.html").as_uri(), reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.mgx-bar')).transitionDuration") == "0s"
    page.context.close()


def test_images_are_shown_as_they_are(explorer):
    styles = explorer.evaluate(
        "[...document.querySelectorAll('.mgx canvas')].map((one) => getComputedStyle(one)).map("
        "(style) => [style.imageRendering, style.filter])"
    )
    assert {tuple(style) for style in styles} == {("pixelated", "none")}


@pytest.mark.skipif(not (SITE / "chapters" / "explore.html").is_file(), reason="the site is not built: run `make book`")
def test_page_of_the_book_runs_the_explorer_and_keeps_its_place(browser):
    page = visit(browser, (SITE / "chapters" / "explore.html").as_uri())
    assert page.complaints == []
    assert all(url.startswith((SITE.as_uri(), "data:")) for url in page.requests)
    for name in export.NAMES:
        assert f"{results()['scanners']['home'][name]['auroc']:.2f}" in settle(page)
    assert not page.get_by_text("{{").count(), "a number of the text was not filled in"
    page.context.close()
