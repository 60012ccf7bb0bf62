"""The explorer computes in the browser what the package computes in torch, and every reader can use it."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from explorer import export
from medgen_utils import clinic, training
from tools import ROOT

FOLDER = export.FOLDER
SITE = ROOT / "_build" / "html"
N = 100  # images compared with torch
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


# ---- the files ---------------------------------------------------------------------------------------------------


@networks
def test_weights_are_small_enough_for_a_page(name):
    assert (FOLDER / f"{name}.js").stat().st_size < 200_000


def test_all_files_together_leave_room_on_a_page_of_one_megabyte():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.name != "check.json") < 400_000


def test_the_test_images_are_those_the_script_writes():
    assert export.read_script(FOLDER / "lesions.js") == export.test_set_file(lesions())


@scanners
@networks
def test_check_file_holds_what_torch_answers(name, scanner):
    if scanner not in results()["scanners"]:
        pytest.skip("compared in the browser only")
    stored = results()["scanners"][scanner]
    assert stored["settings"] == settings(scanner)
    answers = export.logits(network(name), export.scan(lesions(), settings(scanner)))
    np.testing.assert_allclose(stored[name]["logits"], answers, atol=1e-4)
    assert stored[name]["auroc"] == pytest.approx(
        roc_auc_score(lesions().malignant, answers[:, 1] - answers[:, 0]), abs=1e-9
    )


def test_test_set_is_balanced_and_unmarked():
    test = lesions()
    assert test.tissue.shape == (export.TEST_IMAGES, 28, 28) and test.malignant.mean() == 0.5
    hospital = replace(export.training_hospitals()[0], marker_if_benign=0, marker_if_malignant=0)
    train = clinic.make_clinic([hospital], n=50, seed=2024)
    assert not any((train.x[:, 0] == torch.from_numpy(image) / 255).all((1, 2)).any() for image in test.tissue)


@pytest.mark.parametrize("agreement", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_marker_agrees_with_the_disease_as_often_as_the_slider_says(agreement):
    marker, malignant = export.marked(lesions(), agreement), lesions().malignant
    assert marker[malignant].mean() == pytest.approx(agreement, abs=0.02)
    assert marker[~malignant].mean() == pytest.approx(1 - agreement, abs=0.02)


def test_marker_is_the_one_of_the_clinic():
    plain = clinic.Hospital("a", noise=0)
    marked = replace(plain, marker_if_benign=1, marker_if_malignant=1)
    x = clinic.make_clinic([marked], n=2, seed=0, channels=3).x
    rows, columns = clinic.marker_box()
    assert (x[:, :, rows, columns].flatten(2) == torch.tensor(export.MARKER_COLOUR)[:, None]).all()


def test_page_noise_is_standard_normal():
    numbers = export.normals(5, 20_000)
    assert abs(numbers.mean()) < 0.03 and numbers.std() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(export.normals(6, 20_000), numbers)


def test_folding_batch_normalization_keeps_the_function():
    dataset = clinic.make_clinic(export.training_hospitals(), n=8, seed=0, channels=3)
    algorithm = training.build(training.ERM, dataset, seed=0, width=8)
    generator = torch.Generator().manual_seed(0)
    for module in algorithm.featurizer.layers:
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    algorithm.eval()
    folded = export.fold(algorithm)
    torch.testing.assert_close(export.logits(folded, dataset.x), algorithm.predict(dataset.x), rtol=2e-3, atol=2e-3)
    again = export.unpack(export.pack(folded))
    torch.testing.assert_close(export.logits(again, dataset.x), export.logits(folded, dataset.x))


def test_numbers_in_the_text_come_from_the_check_file():
    page = export.PAGE.read_text("utf-8")
    assert page == export.with_facts(page, results())
    body = page.split("---\n", 2)[2]
    assert set(re.findall(r"\{\{ (\w+) \}\}", body)) <= set(export.facts(results()))


def test_what_the_text_says_in_words_is_so():
    erm, augmented = (
        {name: result[network] for name, result in results()["scanners"].items()} for network in export.NAMES
    )
    for scanner in ("dark", "flat", "blurred", "noisy"):
        assert augmented[scanner]["auroc"] > erm[scanner]["auroc"] + 0.05
    assert erm["home"]["auroc"] > augmented["home"]["auroc"], "question 3: what augmentation costs"
    assert erm["stained"]["auroc"] > 0.9 > 0.8 > max(erm["blurred"]["auroc"], erm["noisy"]["auroc"]), "question 1"
    assert erm["curve"]["auroc"] > 0.9 and erm["curve"]["called"] > 0.9 > 0.1 > erm["blurred"]["called"], "question 2"
    assert erm["against"]["auroc"] > 0.95 and augmented["against"]["auroc"] < augmented["coin"]["auroc"] - 0.1
    assert results()["turned by the marker"]["augmented"] > 3 * results()["turned by the marker"]["erm"], "question 4"
    for network in (erm, augmented):
        assert network["little"]["auroc"] < network["home"]["auroc"] - 0.02, "question 5"


# ---- the browser -------------------------------------------------------------------------------------------------


def visit(browser, url: str, **context):
    """Open a page and wait until the explorer has said how it stands; the page knows its requests and complaints."""
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
    """Wait until all lesions are scored; what the explorer then says in words."""
    page.wait_for_function("document.querySelector('.mgx').getAttribute('aria-busy') === 'false'", timeout=PATIENCE)
    return page.locator(".mgx-words").text_content()


@pytest.fixture(scope="module")
def explorer(browser) -> Iterator:
    """The explorer alone, from the disk."""
    page = visit(browser, (FOLDER / "index.html").as_uri())
    yield page
    page.context.close()


SCAN = """([settings, n]) => Array.from({length: n}, (_, i) => [...medgenExplorer.scan(i, settings)])"""
ANSWER = """([settings, n, name]) => {
    const network = medgenExplorer.NETWORKS.find((one) => one.name === name).model;
    return Array.from({length: n}, (_, i) => network.logits(medgenExplorer.scan(i, settings)));
}"""


@scanners
def test_the_browsers_scanner_is_the_clinics(explorer, scanner):
    seen = np.array(explorer.evaluate(SCAN, [settings(scanner), 20])).reshape(20, 28, 28, 3).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(seen, export.scan(lesions(), settings(scanner))[:20], atol=2e-6)


@scanners
@networks
def test_the_browser_answers_as_torch_does(explorer, name, scanner):
    seen = torch.tensor(explorer.evaluate(ANSWER, [settings(scanner), N, name]))
    answers = export.logits(network(name), export.scan(lesions(), settings(scanner))[:N])
    assert (seen - answers).abs().max() < 1e-4
    assert (seen.softmax(1) - answers.softmax(1)).abs().max() < 1e-4


@networks
def test_the_browsers_map_is_torchs(explorer, name):
    seen = explorer.evaluate(
        """([settings, name]) => [...medgenEngine.blurMap(
            medgenExplorer.NETWORKS.find((one) => one.name === name).model, medgenExplorer.scan(0, settings))]""",
        [settings("stained"), name],
    )
    image = export.scan(lesions(), settings("stained"))[:1]
    np.testing.assert_allclose(seen, export.blur_maps(network(name), image)[0], atol=1e-4)


def delong(score: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of an AUROC from its placements (DeLong et al. 1988)."""
    wins = (score[y][:, None] > score[~y]) + 0.5 * (score[y][:, None] == score[~y])
    error = np.sqrt(wins.mean(1).var(ddof=1) / y.sum() + wins.mean(0).var(ddof=1) / (~y).sum())
    return max(0.0, wins.mean() - 1.96 * error), min(1.0, wins.mean() + 1.96 * error)


@pytest.mark.parametrize("decimals", [6, 1])  # 1: many ties
def test_the_browsers_auroc_is_scikit_learns(explorer, decimals):
    score = np.random.default_rng(0).normal(lesions().malignant, 1).round(decimals)
    seen = explorer.evaluate(
        "([score, y]) => medgenEngine.auroc(score, y)", [score.tolist(), lesions().malignant.tolist()]
    )
    assert seen["value"] == pytest.approx(roc_auc_score(lesions().malignant, score), abs=1e-12)
    assert (seen["low"], seen["high"]) == pytest.approx(delong(score, lesions().malignant))


def test_sliders_have_the_ranges_and_homes_of_the_script(explorer):
    sliders = explorer.evaluate("medgenExplorer.SLIDERS")
    assert {name: (s["min"], s["max"]) for name, s in sliders.items()} == export.RANGES
    assert explorer.evaluate("medgenExplorer.HOME") == export.HOME
    assert explorer.evaluate("medgenExplorer.SCANNERS.map((one) => one.change)") == [
        change for name, change in export.AWAY.items() if name != "coin"
    ]
    for slider in sliders.values():
        steps = (slider["home"] - slider["min"]) / slider["step"]
        assert steps == pytest.approx(round(steps)), "a slider can come back to its home"


def test_explorer_runs_from_the_disk_and_asks_nobody(explorer):
    assert explorer.complaints == []
    assert all(url.startswith((FOLDER.as_uri(), "data:")) for url in explorer.requests)


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
def test_axe_finds_nothing(browser, scheme):
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    source = next(Path(package.__file__).parent.rglob("axe.min.js")).read_text("utf-8")
    page = visit(browser, (FOLDER / "index.html").as_uri(), color_scheme=scheme)
    page.get_by_role("button", name="Noisy").click()
    settle(page)
    page.evaluate(source)
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    page.context.close()


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
