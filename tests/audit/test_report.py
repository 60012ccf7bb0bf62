"""The audit: right numbers, verdicts only where there are patients, and one form of report.json."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from medgen_utils.audit import audit
from medgen_utils.audit.measures import NAMES
from medgen_utils.audit.page import render
from medgen_utils.evaluation import auroc, metrics_by, paired_difference, sensitivity_at_specificity, t_interval
from tests.audit.examples import read, runs_frame, table


def test_metrics_are_those_of_metrics_by(csv):
    frame = read(csv(table()), prob=["p", "q"], group="patient", identity="id")
    result = audit(frame, "home", n_resamples=200)
    expected = metrics_by(frame, metrics=("auroc", "brier"), method="delong")
    both = result.metrics.merge(expected, on=["algorithm", "domain", "metric"], suffixes=("", "_expected"))
    assert len(both) == 2 * 3 * 2
    for column in ("value", "low", "high", "n"):
        np.testing.assert_allclose(both[column], both[f"{column}_expected"])


def test_paired_comparison_is_paired_difference(csv):
    frame = read(csv(table()), prob=["p", "q"], group="patient", identity="id")
    found = [f for f in audit(frame, n_resamples=200).report["findings"] if f["kind"] == "difference"]
    expected = paired_difference(frame, "p", "q", method="delong")
    assert [f["domain"] for f in found] == expected["domain"].tolist()
    np.testing.assert_allclose(
        [[f[c] for c in ("value", "low", "high")] for f in found], expected[["value", "low", "high"]]
    )


def test_a_column_of_models_gives_the_same_as_a_column_for_each_model(csv):
    wide = table()
    long = pd.concat([wide.assign(model=m, prob=wide[m]) for m in ("p", "q")])
    first = audit(read(csv(wide), prob=["p", "q"], identity="id"), n_resamples=100).metrics
    second = audit(read(csv(long), prob=["prob"], model="model", identity="id"), n_resamples=100).metrics
    pd.testing.assert_frame_equal(first, second)


def test_the_reference_threshold_finds_the_asked_share_there_and_is_used_elsewhere(csv):
    data = table(600)
    rows = audit(read(csv(data)), "home", sensitivity=0.8, n_resamples=100).report["transfer"]
    home, away = (next(r for r in rows if r["domain"] == d and r["corrected"] is None) for d in ("home", "away"))
    assert home["sensitivity"] == pytest.approx(0.8)
    assert home["threshold"] == away["threshold"]
    there = data[data["hospital"] == "away"]
    flagged = there["p"] >= away["threshold"]
    assert away["sensitivity"] == pytest.approx(flagged[there["y"] == 1].mean())
    assert away["predictive_value"] == pytest.approx(there.loc[flagged, "y"].mean())
    inside = data[data["hospital"] == "home"]
    best = sensitivity_at_specificity(inside["y"].to_numpy(), inside["p"].to_numpy(), specificity=home["specificity"])
    assert best >= home["sensitivity"]


@pytest.mark.parametrize(
    ("reference", "threshold", "asked"), [("home", None, 0.8), ("home", 0.5, None), (None, None, None)]
)
def test_the_asked_sensitivity_is_reported_where_it_set_the_threshold(csv, reference, threshold, asked):
    options = {"threshold": threshold, "sensitivity": 0.8, "n_resamples": 50}
    found = audit(read(csv(table()), prob=["p"]), reference, **options)
    assert found.report["sensitivity"] == asked


def test_identical_domains_are_within_noise_and_a_broken_one_is_beyond():
    rng = np.random.default_rng(2)
    n = 2000
    y = np.tile([0, 1], n // 2)
    p = 1 / (1 + np.exp(-rng.normal(3 * y - 1.5)))
    parts = [
        pd.DataFrame({"domain": d, "y": y, "prob_1": s})
        for d, s in (("home", p), ("same", p), ("broken", rng.random(n)))
    ]
    frame = pd.concat(parts, ignore_index=True).assign(run="r", algorithm="a")
    frame["prob_0"] = 1 - frame["prob_1"]
    frame["index"], frame["group"] = np.arange(len(frame)), np.arange(len(frame)).astype(str)
    verdicts = {f["domain"]: f["verdict"] for f in audit(frame, "home").report["findings"] if f["kind"] == "gap"}
    assert verdicts == {"same": "within noise", "broken": "beyond noise"}


def test_two_seeds_of_a_model_are_averaged():
    frame = runs_frame(runs=2)
    result = audit(frame, "home", n_resamples=100)
    each = [
        auroc(r["y"].to_numpy(), r["prob_1"].to_numpy()) for _, r in frame[frame["domain"] == "home"].groupby("run")
    ]
    found = result.metrics.query("domain == 'home' and metric == 'auroc'")
    assert found["value"].item() == pytest.approx(np.mean(each))
    assert result.report["runs"] == {"a": 2}


@pytest.mark.parametrize("k", [3, 6])
def test_more_than_two_classes(csv, k):
    result = audit(read(csv(table(k=k)), prob=["prob"]), "home", n_resamples=100)
    assert result.report["classes"] == k and result.report["sensitivity"] is None, "no threshold finds a share of three"
    assert set(result.metrics["metric"]) == {*NAMES, "calibration_error"}
    assert "Macro mean" in render(result.report)


def hospital(name: str, positives: int, negatives: int, seed: int = 0, separation: float = 1.5) -> pd.DataFrame:
    """A model that separates by ``separation``, an image a patient."""
    rng = np.random.default_rng([seed, len(name), positives])
    y = np.repeat([1, 0], [positives, negatives])
    p = 1 / (1 + np.exp(-rng.normal(size=len(y)) - separation * y + separation / 2))
    columns = {"run": "m", "algorithm": "m", "domain": name, "group": [f"{name}/{i}" for i in range(len(y))], "y": y}
    return pd.DataFrame(columns | {"prob_0": 1 - p, "prob_1": p})


def together(*parts: pd.DataFrame) -> pd.DataFrame:
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(index=np.arange(len(frame)))


def test_a_hospital_of_two_images_is_listed_and_never_judged():
    report = audit(together(hospital("home", 100, 200), hospital("tiny", 1, 1)), "home").report
    about = [f for f in report["findings"] if f["domain"] == "tiny"]
    assert {f["verdict"] for f in about} == {"too few patients"}
    assert {f["p_value"] for f in about} == {None}
    assert "1 of class 0, 1 of class 1" in report["domains"][1]["note"]
    row = next(r for r in report["metrics"] if r["domain"] == "tiny" and r["metric"] == "auroc")
    assert row["high"] - row["low"] > 0.9
    assert report["worst"][0]["domain"] == "home"
    assert report["over_domains"][0]["domains"] == 1
    assert "too few patients to judge" in render(report)


def test_one_cancer_patient_gives_no_certain_sensitivity():
    one = hospital("one", 4, 60).assign(prob_1=lambda f: np.where(f["y"] == 1, 0.99, 0.3))
    one.loc[one["y"] == 1, "group"] = "one/her"
    one["prob_0"] = 1 - one["prob_1"]
    metrics = audit(together(hospital("home", 100, 200), one), "home").metrics.query("domain == 'one'")
    found = metrics.set_index("metric").loc["sensitivity"]
    assert found["value"] == 1
    assert found["low"] < 0.5
    assert (metrics["high"] > metrics["low"])[metrics["metric"] != "calibration_error"].all()


@pytest.mark.parametrize(("positives", "negatives"), [(1, 20), (3, 30), (10, 40)])
def test_without_a_gap_few_hospitals_are_beyond_noise(positives, negatives):
    alarms = 0
    for seed in range(60):
        frame = together(hospital("home", 100, 200, seed), hospital("small", positives, negatives, seed))
        gap = next(f for f in audit(frame, "home", n_resamples=100).report["findings"] if f["kind"] == "gap")
        alarms += gap["verdict"] in ("beyond noise", "uncertain")
    assert alarms <= 0.06 * 60 + 2


def test_the_minimum_of_patients_can_be_set():
    frame = together(hospital("home", 100, 200), hospital("small", 8, 40, separation=-3))
    verdicts = {
        minimum: audit(frame, "home", min_patients=minimum).report["findings"][0]["verdict"] for minimum in (5, 10)
    }
    assert verdicts == {5: "beyond noise", 10: "too few patients"}


def test_an_absent_class_takes_nothing_else_down(csv):
    data = table(600, k=3)
    data = data[(data["hospital"] != "away") | (data["y"] < 2)]
    report = audit(read(csv(data), prob=["prob"]), "home", class_names=("mel", "nv", "bkl")).report
    rows = {r["metric"]: r for r in report["metrics"] if r["domain"] == "away"}
    assert rows["auroc"]["value"] > 0.5
    assert rows["balanced_accuracy"]["low"] < rows["balanced_accuracy"]["value"]
    each = {r["class"]: r for r in report["by_class"] if r["domain"] == "away"}
    assert each["bkl"]["auroc"] is None
    assert each["bkl"]["reason"] == "no image of this class"
    assert rows["auroc"]["value"] == pytest.approx((each["mel"]["auroc"] + each["nv"]["auroc"]) / 2)
    gap = next(f for f in report["findings"] if f["domain"] == "away")
    assert (gap["verdict"], gap["reason"]) == ("undefined", "other classes occur in away than in home")
    assert "no image of this class" in render(report)


def test_hospitals_with_one_class_are_listed_all_at_once():
    parts = [hospital("home", 40, 80), *(hospital(name, 0, 30) for name in "cef"), hospital("g", 20, 0)]
    report = audit(together(*parts), "home").report
    notes = {row["domain"]: row["note"] for row in report["domains"] if row["note"]}
    assert sorted(notes) == ["c", "e", "f", "g"]
    assert "only class 0 occurs" in notes["c"]
    accuracy = next(r for r in report["metrics"] if r["domain"] == "c" and r["metric"] == "accuracy")
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert all(note in render(report) for note in notes.values())


def test_the_interval_for_other_domains_ends_where_an_auroc_ends():
    frame = together(hospital("a", 60, 60, separation=0.2), hospital("b", 60, 60, separation=4))
    row = audit(frame).report["over_domains"][0]
    assert 0 <= row["new_low"] < row["new_high"] == 1
    assert row["cut"]
    assert "cut: an AUROC lies in 0 to 1" in render(audit(frame).report)


@pytest.mark.parametrize(("separations", "cut"), [((-1.5, -4), "low"), ((2.5, 4), "high"), ((1.2, 1.3), "")])
def test_an_end_of_the_interval_for_other_domains_is_cut_where_it_leaves_what_an_auroc_can_be(separations, cut):
    frame = together(*(hospital(name, 60, 60, separation=s) for name, s in zip("ab", separations, strict=True)))
    result = audit(frame, n_resamples=20)
    values = result.metrics.query("metric == 'auroc'")["value"].to_numpy()
    _, low, high = t_interval(values)
    row = result.report["over_domains"][0]
    assert (row["new_low"], row["new_high"]) == pytest.approx((max(low, 0), min(high, 1)))
    assert (low < 0, high > 1, row["cut"]) == (cut == "low", cut == "high", bool(cut))


def test_a_model_without_rows_in_the_reference_is_named():
    first = together(hospital("home", 20, 20), hospital("away", 20, 20))
    second = first[first["domain"] == "away"].assign(algorithm="b", run="b")
    with pytest.raises(ValueError, match="model 'b' has no rows in the reference 'home'"):
        audit(pd.concat([first, second]), "home")


def test_patients_are_known_where_a_column_named_them_though_each_has_one_image(csv):
    data = table(domains=("home", "away")).assign(patient=lambda t: t["id"])
    with_patients = audit(read(csv(data), group="patient")).report
    assert all(row["known"] for row in with_patients["domains"])
    assert "has one image" in render(with_patients)
    without = audit(read(csv(data))).report
    assert not any(row["known"] for row in without["domains"])
    assert "No patients were named" in render(without)


def test_thresholds_come_from_outside_for_each_model(csv):
    frame = read(csv(table()), prob=["p", "q"], identity="id")
    report = audit(frame, threshold={"p": 0.3, "q": 0.7}).report
    assert report["thresholds"] == {"p": 0.3, "q": 0.7}
    rows = frame[(frame["algorithm"] == "q") & (frame["domain"] == "home")]
    found = [r for r in report["metrics"] if (r["algorithm"], r["domain"]) == ("q", "home")]
    expected = (rows.loc[rows["y"] == 1, "prob_1"] >= 0.7).mean()
    assert next(r["value"] for r in found if r["metric"] == "sensitivity") == pytest.approx(expected)
    assert {(r["algorithm"], r["threshold"]) for r in report["transfer"]} == {("p", 0.3), ("q", 0.7)}
    assert audit(frame).report["transfer"] == [], "without reference, threshold and prior nothing is carried over"
    for wrong, words in (({"p": 0.3}, "no threshold for model 'q'"), (1.5, "in \\[0, 1\\]")):
        with pytest.raises(ValueError, match=words):
            audit(frame, threshold=wrong)


def schema() -> dict:
    return json.loads(files("medgen_utils.audit").joinpath("report.schema.json").read_text(encoding="utf-8"))


def test_the_report_on_the_site_has_the_form_of_the_schema():
    path = Path(__file__).resolve().parents[2] / "_extra" / "audit" / "report.json"
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema())


@pytest.mark.parametrize("options", [{}, {"reference": "home"}, {"reference": "home", "prior": "balanced"}])
@pytest.mark.parametrize("k", [2, 4])
def test_the_report_has_the_form_of_its_schema(csv, k, options):
    frame = read(csv(table(k=k)), prob=["p", "q"] if k == 2 else ["prob"], identity="id")
    frame["subgroup"] = np.where(frame["index"] % 2, "women", "men")
    report = json.loads(json.dumps(audit(frame, **options).report, allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(report, schema(), jsonschema.Draft202012Validator)
    del report["findings"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="run"), "run"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.assign(prob_1=2.0), "sum to one"),
        (lambda f: f.assign(y=1), "one class"),
        (lambda f: f.iloc[:1], "all 1 rows are class"),
        (lambda f: f.assign(split=np.where(f["domain"] == "home", "validation", "test")), "splits"),
        (lambda f: pd.concat([f, f.assign(algorithm="b", run="s").iloc[2:]]), "same images"),
    ],
)
def test_frames_that_cannot_be_judged_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        audit(change(runs_frame(runs=1)), n_resamples=100)
