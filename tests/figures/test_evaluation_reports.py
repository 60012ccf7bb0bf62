from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medgen_utils import audit, shifts
from medgen_utils.benchmark import About
from medgen_utils.clinic import make_clinic
from medgen_utils.evaluation import auroc, decision_curve, reliability_curve
from medgen_utils.figures import evaluation_reports as draw
from medgen_utils.shifts import kinds
from tests.benchmark.small import HOSPITALS
from tests.benchmark.test_duels import frame
from tests.shifts.test_stress import made

ABOUT = About(10, "torch 2", "cpu", 1.0)


@pytest.fixture
def images():
    """Two places; at the second all probabilities are a half."""
    flat = frame(seeds=1, domain="B").assign(prob_0=0.5, prob_1=0.5)
    both = pd.concat([frame(seeds=1), flat.assign(index=lambda rows: rows["index"] + 60)], ignore_index=True)
    return both.assign(protocol="p", pred=lambda rows: (rows["prob_1"] > 0.5).astype(int))


def test_the_table_has_a_row_a_place_with_its_own_measures(images):
    table = draw.metrics_table(images)
    assert table.index.tolist() == ["A", "B"] and table.loc["B", "AUROC"] == 0.5
    mine = images[images["domain"] == "A"]
    assert table.loc["A", "AUROC"] == round(auroc(mine["y"].to_numpy(), mine["prob_1"].to_numpy()), 2)
    assert table.loc["A", ["images", "sick"]].tolist() == [60, 0.5]


def test_every_measure_has_a_point_a_place(images):
    axis = draw.measures_by_site(images, ABOUT).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == list(draw.MEASURES.values())
    table = draw.metrics_table(images)
    for line in (line for line in axis.lines if line.get_label() in ("A", "B")):
        shown = dict(zip(line.get_ydata().round(), line.get_xdata().round(2), strict=True))
        assert shown == dict(enumerate(table.loc[line.get_label(), list(draw.MEASURES.values())]))


def test_reliability_is_that_of_the_package_and_follows_weights(images):
    mine = images[images["domain"] == "A"]
    p, y = mine["prob_1"].to_numpy(), mine["y"].to_numpy()
    mean, share = draw.reliability(p, y)
    package = reliability_curve(p, y == 1, draw.BINS)
    assert np.allclose(mean, package["confidence"]) and np.allclose(share, package["accuracy"])
    _, only_sick = draw.reliability(p, y, (y == 1).astype(float))
    assert (only_sick == 1).all()
    axis = draw.calibration(images, ["A", "B"], ABOUT).axes[0]
    assert np.allclose(axis.lines[1].get_xdata(), mean) and axis.lines[2].get_ydata().tolist() == [0.5]


def test_the_slider_draws_what_measures_says_before_and_after_correction(images):
    mine = images[images["domain"] == "A"]
    prob, y, seen = mine[["prob_0", "prob_1"]].to_numpy(), mine["y"].to_numpy(), []

    def measures(prevalence, p):
        seen.append(p)
        return {"share": prevalence, "first": p[0, 1]}

    left = draw.at_prevalence(measures, prob, y)(0.1).axes[0]
    corrected = shifts.prior_correction(prob, [0.5, 0.5], [0.9, 0.1])
    assert np.allclose(seen[0], prob) and np.allclose(seen[1], corrected)
    assert left.lines[1].get_xdata()[1] == pytest.approx(corrected[0, 1])
    assert draw.at_rates(lambda rate: {"twice": 2 * rate}, (0.1, 0.5)).loc["twice"].tolist() == [0.2, 1.0]


def test_net_benefit_is_that_of_the_package_and_use_is_counted(images):
    kinds_of = draw.net_benefits(images, "A", 0.5, 0.5)
    mine = images[images["domain"] == "A"]
    package = decision_curve(mine["y"].to_numpy(), mine["prob_1"].to_numpy(), draw.THRESHOLDS)
    assert np.allclose(kinds_of["as trained"]["model"], package["model"])
    assert np.allclose(kinds_of["corrected for prevalence"]["model"], package["model"])  # one half is what it was
    curve = pd.DataFrame({"model": [0.3, 0.1], "treat_all": [0.2, 0.2], "treat_none": 0.0})
    assert draw.useful(curve) == 0.5
    axes = draw.decisions({"home": kinds_of, "away": kinds_of}, ABOUT).axes
    assert [len(axis.lines) for axis in axes] == [4, 4]


def test_damage_grows_from_left_to_right():
    clinic = make_clinic(HOSPITALS[:1], 4, seed=0)
    figure = draw.damaged(clinic, ["blur"])
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    away = [np.abs(image - shown[0]).mean() for image in shown]
    assert len(shown) == 6 and away == sorted(away) and np.allclose(shown[0], clinic.x[0, 0])
    assert "blur" in kinds("x-ray")


def test_a_star_stands_where_a_version_trained_on_the_family():
    errors = {name: {"noise": 0.2, "blur": 0.1} for name in ("plain", "mirrored", "noise")}
    stress = made(errors, dict.fromkeys(errors, 0.1))
    figure = draw.severity(stress, "", make_clinic(HOSPITALS, 4, seed=0))
    axes = {axis.get_title(): axis for axis in figure.axes}
    assert [text.get_text() for text in axes["noise"].texts] == ["*"] and not axes["blur"].texts
    assert axes["blur"].lines[0].get_ydata().tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_an_audit_of_a_saved_table_is_published_with_its_findings(images, tmp_path, monkeypatch):
    table = images.rename(columns={"domain": "hospital", "prob_1": "model"})[["index", "hospital", "y", "model"]]
    read = audit.read_predictions(draw.saved(table), label="y", prob=["model"], domain="hospital", identity="index")
    audited = audit.audit(read, "A")
    found = draw.findings(audited)
    assert len(found) == len(audited.report["findings"]) and set(found["verdict"])
    page = Path(draw.published(audited).data.split("The report is ")[1].removesuffix("</p>"))
    assert page.is_file()
    monkeypatch.setenv("MEDGEN_STATIC", "1")
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")
    assert "audit/index.html" in draw.published(audited).data and (tmp_path / "_extra/audit/index.html").is_file()
