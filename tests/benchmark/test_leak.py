"""Only the siblings differ between the two trainings, and the sentence says so."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import About, leak
from medgen_utils.benchmark.leak import LEAKY, WHOLE, Leak
from tests.benchmark.small import small_clinic


@pytest.fixture(scope="module")
def pairs():
    """One hospital, patients with two images each."""
    images = small_clinic(0).only("hospital A")
    return replace(images, group=np.array([f"patient {i // 2}" for i in range(len(images))]))


def test_as_many_images_train_and_every_tested_image_has_a_sibling(pairs, monkeypatch):
    seen = []
    fit = leak.__globals__["fit"]

    def noting(model, part, **options):
        seen.append(part)
        return fit(model, part, **options)

    monkeypatch.setitem(leak.__globals__, "fit", noting)
    found = leak(pairs, [3], steps=2, width=4, n_jobs=1)
    whole, leaky = seen
    row = found.frame.iloc[0]
    assert len(whole) == len(leaky) == row["train"]
    new = set(leaky.group) - set(whole.group)
    assert len(new) == row["leaked"] > 0
    kept = set(leaky.index.tolist()) & set(whole.index.tolist())
    assert len(kept) == row["train"] - row["leaked"]


def test_without_two_images_of_a_patient_nothing_leaks(pairs):
    with pytest.raises(ValueError, match="no known patient has two images"):
        leak(replace(pairs, group=np.full(len(pairs), "")), [0], steps=1)


@pytest.mark.parametrize(
    ("gains", "verdict"), [((0.03, 0.04, 0.05), "excludes zero"), ((-0.03, 0.04, 0.0), "no licence")]
)
def test_the_verdict_is_that_of_the_interval(gains, verdict):
    frame = pd.DataFrame({"seed": range(3), WHOLE: 0.8, LEAKY: 0.8 + np.array(gains), "train": 100, "leaked": 20})
    found = Leak(frame, About(1, "torch", "cpu", 1.0))
    assert verdict in found.say().data and f"{np.mean(gains):+.3f}" in found.say().data
    lines = found.plot().axes[0].lines
    assert len(lines) == 4 and lines[-1].get_ydata().tolist() == pytest.approx([0.8, 0.8 + np.mean(gains)])
