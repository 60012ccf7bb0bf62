"""What is measured in a domain: who is there, each class, parts of a domain, patients as rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medgen_utils.audit.measures import (
    by_domain,
    by_patient,
    curve,
    describe,
    measure,
    per_class,
    subgroups,
    threshold_of,
    too_few,
)
from medgen_utils.evaluation import calibration_error
from tests.audit.examples import read, runs_frame, table


def test_domains_say_how_many_patients_each_class_has(csv):
    frame = read(csv(table()), group="patient", identity="id")
    row = describe(frame, ["benign", "malignant"], 10, None)[0]
    assert (row["images"], row["patients"], row["counts"], row["patients_by_class"]) == (80, 40, [40, 40], [20, 20])
    assert row["note"] is None
    assert "20 of class benign" in describe(frame, ["benign", "malignant"], 25, None)[0]["note"]


def test_domains_tested_in_runs_of_their_own_are_all_described(csv):
    frame = read(csv(table().assign(left_out=lambda t: t["hospital"])), identity="id", run="left_out")
    assert [row["images"] for row in describe(frame, ["benign", "malignant"], 10, None)] == [80, 80, 80]


def test_a_breast_is_a_row_and_its_patient_is_kept(csv):
    data = table().assign(breast=lambda t: (t.index // 2 % 2).map({0: "left", 1: "right"}))
    rows = by_patient(read(csv(data), group="patient", unit="breast"), "mean")
    assert len(rows) == 240 and rows["group"].nunique() == 120 and sorted(rows["index"]) == list(range(240))


def test_absent_classes_are_no_reason_but_a_single_one_is():
    assert too_few([20, 0, 30], "abc", 10, "patients") is too_few([20, 25, 30], "abc", 10, "patients") is None
    assert (
        too_few([20, 0, 3], "abc", 10, "patients") == "too few patients to judge: 3 of class c (at least 10 are asked)"
    )
    assert "only class b" in too_few([0, 9], "ab", 10, "patients")


def test_each_class_has_the_auroc_of_it_against_the_rest(csv):
    frame = read(csv(table(k=3)), prob=["prob"])
    tests = by_domain(frame, ["home"])
    y, (prob,), _ = tests["home"]
    for row in per_class("prob", "home", tests["home"], "abc", 0.95):
        c = "abc".index(row["class"])
        assert row["auroc"] == pytest.approx(roc_auc_score(y == c, prob[:, c]))
        assert row["recall"] == pytest.approx((prob.argmax(1)[y == c] == c).mean())
        assert row["recall_low"] < row["recall"] < row["recall_high"]


def test_runs_are_brought_into_one_order():
    frame = runs_frame(runs=2)
    mixed = frame.sample(frac=1, random_state=0)
    for domain in ("home", "away"):
        first, second = (by_domain(f, [domain])[domain] for f in (frame, mixed))
        assert np.array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


def test_the_noise_of_calibration_is_above_the_error_of_right_probabilities_95_times_in_100():
    below = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        p = rng.random(150)
        y = (rng.random(150) < p).astype(int)
        found = curve("m", "home", (y, [np.stack([1 - p, p], 1)], np.arange(150)), 500, 0)
        assert found["error"] == pytest.approx(calibration_error(y, p))
        below += found["error"] <= found["floor"]
    assert 0.9 <= below / 200 <= 0.99


def test_small_parts_of_a_domain_are_listed_with_a_note(csv):
    frame = read(csv(table(domains=("home",))))
    frame["subgroup"] = np.where(frame["index"] < 8, "women", "men")
    men, women = subgroups(frame, "01", 10, 0.95)
    assert (men["subgroup"], men["images"], men["note"]) == ("men", 232, None)
    assert women["note"].startswith("too few patients to judge: 4 of class 0")
    assert women["auroc_high"] - women["auroc_low"] > 0.3


def test_patients_become_rows(csv):
    frame = read(csv(table()), group="patient", identity="id")
    mean, largest = by_patient(frame, "mean"), by_patient(frame, "max")
    first = frame[frame["group"] == frame["group"].iloc[0]]
    assert len(mean) == frame["group"].nunique() == len(largest)
    assert mean["prob_1"].iloc[0] == pytest.approx(first["prob_1"].mean())
    assert largest["prob_1"].iloc[0] == first["prob_1"].max()
    assert largest["y"].iloc[0] == first["y"].max()
    np.testing.assert_allclose(largest["prob_0"] + largest["prob_1"], 1)
    with pytest.raises(ValueError, match="choose 'mean'"):
        by_patient(frame, "median")


def test_a_patient_of_several_classes_is_no_row(csv):
    frame = read(csv(table(k=3)), prob=["prob"], group="patient")
    with pytest.raises(ValueError, match="several classes"):
        by_patient(frame, "mean")


def test_a_patient_has_one_number_in_all_runs_and_another_in_each_domain(csv):
    frame = read(csv(table()), group="patient", identity="id")
    frame = frame.assign(group=frame["group"].str.partition("/")[2])  # every hospital counts its patients from 0
    rows = by_patient(pd.concat([frame.assign(run="first"), frame.assign(run="second")]), "mean")
    of = rows.groupby(["domain", "group"])["index"]
    assert (of.nunique() == 1).all() and of.first().is_unique and rows["index"].nunique() == len(rows) // 2


def test_a_threshold_needs_positives():
    y = np.zeros(4, int)
    with pytest.raises(ValueError, match="no positive case"):
        threshold_of((y, [np.full((4, 2), 0.5)], np.arange(4)), 0.9)
    y, p = np.array([1, 1, 0]), np.array([0.9, 0.4, 0.1])
    assert threshold_of((y, [np.stack([1 - p, p], 1)], np.arange(3)), 0.5) == 0.9


def test_rates_are_measured_where_there_is_a_threshold_and_only_there(csv):
    tests = by_domain(read(csv(table()), group="patient", identity="id"), ["home"])
    y, (prob,), _ = tests["home"]
    cells = measure("p", tests, 0.4)
    (cell,) = cells.groups["p",].values()
    values = dict(zip(cells.metrics, [estimate.value for estimate in cell.estimates], strict=True))
    called = prob[:, 1] >= 0.4
    assert values["sensitivity"] == pytest.approx(called[y == 1].mean())
    assert values["specificity"] == pytest.approx(1 - called[y == 0].mean())
    assert "sensitivity" not in measure("p", tests, None).metrics


def test_domains_are_described_in_the_order_of_the_table(csv):
    data = table().sort_values("hospital", ascending=False, kind="stable")
    rows = describe(read(csv(data), group="patient", identity="id"), ["benign", "malignant"], 10, None)
    assert [row["domain"] for row in rows] == list(dict.fromkeys(data["hospital"]))


@pytest.mark.parametrize("k", [2, 3])
def test_the_mean_error_is_one_of_two_classes(csv, k):
    frame = read(csv(table(k=k)), prob=["p"] if k == 2 else ["prob"])
    assert ("mean_error" in measure("m", by_domain(frame, ["home"]), None).metrics) == (k == 2)
