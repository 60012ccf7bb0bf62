"""Pre-training beside plain training of as many steps: who gets how many, on which labels, judged where."""

import sys

import numpy as np
import pytest

from medgen_utils import clinic
from medgen_utils.benchmark import few_labels, keep_labels
from medgen_utils.benchmark.few_labels import ALL, AWAY, HALF, HOME, TUNED, WAYS
from medgen_utils.self_supervision import MAE
from tests.benchmark.small import HOSPITALS, small_clinic

module = sys.modules["medgen_utils.benchmark.few_labels"]  # its function of the same name stands in front of it


@pytest.fixture(scope="module")
def found():
    return few_labels(HOSPITALS, (MAE, {}), shares=(0.2, 1.0), seeds=(0, 1), steps=2, n=40, width=2)


def test_a_share_of_the_patients_of_every_hospital_keeps_its_labels():
    dataset = small_clinic(0)
    few = keep_labels(dataset, 0.1, seed=3)
    assert set(few.domain.bincount().tolist()) <= {5, 6} and len(few.domain.unique()) == 4
    assert keep_labels(dataset, 1.0) is dataset
    assert not np.array_equal(few.index, keep_labels(dataset, 0.1, seed=4).index)
    with pytest.raises(ValueError, match="share=0"):
        keep_labels(dataset, 0)


def test_four_ways_at_each_share_place_and_seed(found):
    scores = found.scores()
    assert len(scores) == 4 * 2 * 2 * 2 and set(scores["way"]) == set(WAYS)
    assert set(scores["share"]) == {20.0, 100.0}
    assert set(found.frame.loc[found.frame["place"] == AWAY, "domain"]) == {clinic.NEW_HOSPITAL}
    assert clinic.NEW_HOSPITAL not in set(found.frame.loc[found.frame["place"] == HOME, "domain"])


def test_gains_are_paired_differences_and_a_way_beside_itself_is_nothing(found):
    assert found.gain(TUNED, TUNED, HOME, 1.0).tolist() == [0, 0, 0]
    there, back = found.gain(TUNED, ALL, AWAY, 0.2)["value"], found.gain(ALL, TUNED, AWAY, 0.2)["value"]
    assert there == pytest.approx(-back) and there != 0


def test_a_line_a_comparison_and_a_word_that_fits(found):
    lines = found.say().data.splitlines()
    assert len(lines) == 2 * 2
    row = found.gain(TUNED, HALF, HOME, 1.0)
    word = "a gain" if row["low"] > 0 else "a loss" if row["high"] < 0 else "within the noise"
    assert lines[1].startswith(f"- *{TUNED}* minus *{HALF}*, {HOME}: ") and " with 20 % of the labels, " in lines[1]
    assert lines[1].endswith(
        f"{row['value']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}, {word}) with 100 % of the labels."
    )


def test_the_figure_has_a_line_a_way_and_a_panel_a_place(found):
    axes = found.plot().axes
    assert {axis.get_title(loc="left") for axis in axes} == {HOME, AWAY}
    assert all(len([line for line in axis.lines if len(line.get_xdata()) == 2]) == 4 for axis in axes)


def test_plain_training_gets_the_steps_of_both_and_of_the_fine_tuning(monkeypatch):
    asked, fit = [], module.fit

    def counted(model, train, *, steps, **options):
        asked.append(steps)
        return fit(model, train, steps=1, **options)

    monkeypatch.setattr(module, "fit", counted)
    monkeypatch.setattr(module, "map_runs", lambda function, tasks: [function(*task) for task in tasks])
    few_labels(HOSPITALS, (MAE, {}), shares=(1.0,), seeds=(0,), steps=3, n=20, width=2)
    assert dict(zip((ALL, HALF), asked, strict=True)) == {ALL: 6, HALF: 3}


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.2, "a gain"), (-0.2, -0.01, "a loss"), (-0.1, 0.1, "within the noise"), (0.0, 0.1, "within the noise"),
     (-0.1, 0.0, "within the noise")],
)  # fmt: skip
def test_a_gain_a_loss_and_noise_are_called_so(found, monkeypatch, low, high, word):
    row = {"value": (low + high) / 2, "low": low, "high": high}
    monkeypatch.setattr(module.FewLabels, "gain", lambda *about: row)
    said = found.say().data
    assert said.count(f"({low:+.3f} to {high:+.3f}, {word})") == 2 * 2 * 2
