"""Claims by domain keep the rules of the tidy frame: runs averaged, patients together, domains not pooled."""

import warnings

import numpy as np
import pandas as pd
import pytest

from medgen_utils.evaluation import (
    UndefinedMetric,
    auroc,
    generalization_gap,
    metrics_by,
    paired_difference,
    t_interval,
    worst_domain,
)
from tests.evaluation.examples import frame


def test_a_domain_with_one_class_is_nan_and_the_others_keep_their_values():
    data = frame()
    data.loc[data["domain"] == "B", "y"] = 1
    with pytest.warns(UndefinedMetric):
        result = metrics_by(data, by=("algorithm", "domain"), n_resamples=20).set_index(["algorithm", "domain"])
    assert result.loc[("a", "B"), ["value", "low", "high"]].isna().all()
    assert result.loc["a"].drop("B")[["value", "low", "high"]].notna().all(axis=None)
    with pytest.warns(UndefinedMetric):
        assert metrics_by(data, by=("algorithm",), n_resamples=20)["value"].isna().all()


def test_runs_are_averaged_and_not_counted_as_patients():
    data = frame(seeds=5)
    result = metrics_by(data, n_resamples=400).set_index(["algorithm", "domain"]).loc[("a", "A")]
    one = data[(data["algorithm"] == "a") & (data["domain"] == "A")]
    assert result["n"] == 120
    assert result["value"] == pytest.approx(
        one.groupby("run")[["y", "prob_1"]].apply(lambda r: auroc(*r.to_numpy().T)).mean()
    )
    copies = pd.concat([one[one["seed"] == 0].assign(run=f"copy {i}") for i in range(5)])
    single = metrics_by(one[one["seed"] == 0], n_resamples=400)
    pd.testing.assert_frame_equal(metrics_by(copies, n_resamples=400), single)


def test_the_mean_over_domains_is_no_pooled_metric():
    data = frame()
    by_domain = metrics_by(data, n_resamples=10).groupby("algorithm")["value"].mean()
    overall = metrics_by(data, by=("algorithm",), n_resamples=10).set_index("algorithm")["value"]
    pd.testing.assert_series_equal(overall, by_domain)


def test_domains_as_units_give_students_t_over_domains():
    data = frame()
    values = metrics_by(data, n_resamples=10).query("algorithm == 'a'")["value"]
    row = metrics_by(data, by=("algorithm",), n_resamples=10, units="domain").iloc[0]
    low, high = t_interval(values)[1:]
    assert high > 1  # of three hospitals that differ; an AUROC ends at 1
    assert (row["low"], row["high"]) == pytest.approx((low, 1.0))


def test_four_copies_of_every_image_of_a_patient_change_no_interval():
    once = frame(seeds=1)
    copies = pd.concat([once.assign(index=4 * once["index"] + i) for i in range(4)], ignore_index=True)
    first, second = (metrics_by(data, n_resamples=100)[["value", "low", "high"]] for data in (once, copies))
    pd.testing.assert_frame_equal(first, second)


def test_several_metrics_and_functions_come_as_rows_in_order():
    def always_half(y, prob, weights=None):
        return 0.5 if weights is None else np.full(len(weights), 0.5)

    result = metrics_by(frame(), metrics=("auroc", always_half), n_resamples=10)
    assert result["metric"].tolist()[:2] == ["auroc", "always_half"]
    assert (result.query("metric == 'always_half'")[["value", "low", "high"]] == 0.5).all(axis=None)


def test_worst_domain_and_gap_follow_from_the_domains():
    data = frame()
    table = metrics_by(data, n_resamples=50).pivot(index="algorithm", columns="domain", values="value")
    worst = worst_domain(data, n_resamples=50).set_index("algorithm")
    assert worst["domain"].to_dict() == table.idxmin(axis=1).to_dict()
    assert worst["value"].to_dict() == pytest.approx(table.min(axis=1).to_dict())
    gap = generalization_gap(data, "C", n_resamples=50).set_index(["algorithm", "domain"])["value"]
    assert gap["a", "A"] == pytest.approx(table.loc["a", "C"] - table.loc["a", "A"])
    assert worst_domain(data, metric="brier", n_resamples=10).set_index("algorithm")["domain"]["a"] == "A"
    assert generalization_gap(data, "C", metric="brier", n_resamples=10)["value"].min() > 0


def test_paired_difference_is_exact_and_narrower_than_unpaired():
    data = frame(seeds=1)
    data["noise"] = np.random.default_rng(0).normal(size=len(data)) * 0.01
    same = data[data["algorithm"] == "a"]
    near = same.assign(algorithm="b", run="p/b/0", prob_1=(same["prob_1"] + same["noise"]).clip(0, 1))
    near["prob_0"] = 1 - near["prob_1"]
    both = pd.concat([same, near])
    result = paired_difference(both, "a", "b", n_resamples=300)
    values = metrics_by(both, n_resamples=300).set_index(["algorithm", "domain"])
    for _, row in result.iterrows():
        a, b = values.loc[("a", row["domain"])], values.loc[("b", row["domain"])]
        assert row["value"] == pytest.approx(a["value"] - b["value"])
        assert row["high"] - row["low"] < 0.5 * (a["high"] - a["low"])
    identical = paired_difference(pd.concat([same, same.assign(algorithm="b")]), "a", "b", n_resamples=50)
    assert (identical[["value", "low", "high"]] == 0).all(axis=None)


def test_paired_difference_over_domains_counts_domains():
    data = frame()
    by_domain = paired_difference(data, "a", "b", n_resamples=10)["value"]
    overall = paired_difference(data, "a", "b", by=(), n_resamples=10, units="domain").iloc[0]
    assert (overall["value"], overall["low"], overall["high"]) == pytest.approx(tuple(t_interval(by_domain)))


def test_algorithms_tested_on_other_images_are_not_compared():
    data = frame()
    with pytest.raises(ValueError, match="same images"):
        paired_difference(data[(data["algorithm"] == "a") | (data["index"] > 3)], "a", "b")


def test_results_repeat_and_leave_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (metrics_by(frame(), n_resamples=50, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert not first.equals(metrics_by(frame(), n_resamples=50, seed=5))


def test_a_hospital_where_every_positive_is_above_every_negative_is_not_certain():
    data = frame(n=12)
    data["prob_1"] = data["y"] * 0.5 + 0.25
    data["prob_0"] = 1 - data["prob_1"]
    for method in ("bootstrap", "delong"):
        result = metrics_by(data, n_resamples=400, method=method)
        assert (result["value"] == 1).all()
        assert (result["low"] < 0.9).all()
        gap = generalization_gap(data, "A", n_resamples=400, method=method)
        assert (gap["low"] < -0.05).all()
        assert (gap["high"] > 0.05).all()
        assert (paired_difference(data, "a", "b", n_resamples=100, method=method)["value"] == 0).all()


def test_both_methods_agree_where_there_are_many_patients():
    data = frame(n=1500, seeds=1)
    for claim in (metrics_by, worst_domain, lambda f, **o: generalization_gap(f, "A", **o)):
        first, second = (claim(data, method=method)[["value", "low", "high"]] for method in ("bootstrap", "delong"))
        np.testing.assert_allclose(first["value"], second["value"])
        np.testing.assert_allclose(first, second, atol=0.005)
    first, second = (paired_difference(data, "a", "b", method=m)[["low", "high"]] for m in ("bootstrap", "delong"))
    np.testing.assert_allclose(first, second, atol=0.005)


def test_without_resampling_only_metrics_with_a_formula_have_intervals():
    with pytest.raises(ValueError, match="calibration_error"):
        metrics_by(frame(), metrics=["calibration_error"], method="delong")
    with pytest.raises(ValueError, match="choose 'bootstrap' or 'delong'"):
        metrics_by(frame(), method="jackknife")


def test_each_domain_draws_patients_of_its_own():
    """Else two hospitals with equal predictions would err together, and their mean be no surer than each."""
    one = frame(n=60, domains="A", algorithms="a", seeds=1)
    both = pd.concat([one, one.assign(domain="B", group="B" + one["group"].str[1:])])
    each = metrics_by(both, ["domain"], n_resamples=800)
    mean = metrics_by(both, ["algorithm"], n_resamples=800).iloc[0]
    width = (each["high"] - each["low"]).mean()
    assert mean["high"] - mean["low"] == pytest.approx(width / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize(("metric", "sign"), [("auroc", 1), ("brier", -1)])
def test_the_interval_of_the_worst_domain_is_that_of_the_worst_of_each_resample(metric, sign):
    """Of equal domains the worst of a resample lies below each of them, and so do both ends."""
    one = frame(n=80, domains="A", algorithms="a", seeds=1)
    parts = [one.assign(domain=name, group=name + one["group"].str[1:]) for name in "ABCD"]
    equal = pd.concat(parts)
    each = metrics_by(equal, ["domain"], [metric], n_resamples=600)
    worst = worst_domain(equal, metric=metric, n_resamples=600).iloc[0]
    ends, mine = sign * each[["low", "high"]].to_numpy(), sorted(sign * worst[["low", "high"]].to_numpy(float))
    assert mine[0] < ends.min() + 0.01 and mine[1] < ends.max(1).min() - 0.01


def test_algorithms_tested_with_other_labels_are_not_compared():
    data = frame()
    data.loc[(data["algorithm"] == "b") & (data["index"] == 5), "y"] ^= 1
    with pytest.raises(ValueError, match="differ in domain, index or y"):
        paired_difference(data, "a", "b")
