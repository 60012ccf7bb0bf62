"""The engine computes in the browser what the package computes in torch."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from explorer import export
from tests.explorer.examples import lesions, network, networks, scanners, settings

N = 100  # images compared with torch
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
