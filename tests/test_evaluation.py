"""Chapter evaluation_protocols: metrics agree with other libraries, intervals cover, the tidy frame keeps its rules."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.evaluation import (
    METRICS,
    UndefinedMetric,
    accuracy,
    auroc,
    balanced_accuracy,
    bootstrap_interval,
    brier,
    calibration_error,
    decision_curve,
    expected_calibration_error,
    f1,
    generalization_gap,
    metrics_by,
    paired_difference,
    predictions_frame,
    probabilities,
    reliability_curve,
    sensitivity_at_specificity,
    sign_flip_test,
    t_interval,
    worst_domain,
)


def binary(n: int, seed: int, decimals: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities; few decimals make ties."""
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    return y, np.round(1 / (1 + np.exp(-rng.normal(y - 0.5, 1))), decimals)


def multiclass(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    logits = rng.normal(size=(n, k)) + np.eye(k)[y]
    return y, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def frame(n: int = 120, domains: str = "ABC", algorithms: str = "ab", seeds: int = 2) -> pd.DataFrame:
    """Predictions of two algorithms on the same images, a patient each."""
    rows = []
    for number, domain in enumerate(domains):
        rng = np.random.default_rng(number)
        y = rng.integers(0, 2, n)
        for algorithm in algorithms:
            for seed in range(seeds):
                p = 1 / (1 + np.exp(-(y - 0.5) * (1 + number) - rng.normal(size=n)))
                columns = {"run": f"p/{algorithm}/{seed}", "algorithm": algorithm, "seed": seed, "domain": domain}
                columns |= {"group": [f"{domain}/{i}" for i in range(n)], "index": np.arange(n), "y": y}
                columns |= {"split": "test", "pred": (p > 0.5).astype(int), "prob_0": 1 - p, "prob_1": p}
                rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True)


# --- metrics against other libraries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [8, 2, 1, 0])
@pytest.mark.parametrize("n", [2, 3, 50, 1000])
def test_auroc_is_that_of_scikit_learn_with_and_without_ties(n, decimals):
    y, p = binary(n, seed=n + decimals, decimals=decimals)
    assert auroc(y, p) == pytest.approx(sklearn_metrics.roc_auc_score(y, p), abs=1e-12)
    assert auroc(y, np.stack([1 - p, p], 1)) == pytest.approx(auroc(y, p), abs=1e-12)


@pytest.mark.parametrize("k", [3, 5, 11])
def test_multiclass_auroc_is_that_of_scikit_learn(k):
    y, p = multiclass(300, k, seed=k)
    expected = sklearn_metrics.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert auroc(y, p) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=30))
@settings(max_examples=150, deadline=None)
def test_weighted_auroc_is_the_auroc_of_repeated_rows(rows):
    y, score, weight = np.array(rows).T
    repeated = np.repeat(np.arange(len(y)), weight)
    value = auroc(y, score, weight[None])[0]
    if len(set(y[repeated])) < 2:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(sklearn_metrics.roc_auc_score(y[repeated], score[repeated]), abs=1e-12)


@pytest.mark.parametrize("k", [2, 4])
def test_other_metrics_are_those_of_scikit_learn(k):
    y, p = binary(500, 0) if k == 2 else multiclass(500, k, 0)
    predicted = (p > 0.5).astype(int) if k == 2 else p.argmax(1)
    average = "binary" if k == 2 else "macro"
    assert accuracy(y, p) == pytest.approx(sklearn_metrics.accuracy_score(y, predicted))
    assert balanced_accuracy(y, p) == pytest.approx(sklearn_metrics.balanced_accuracy_score(y, predicted))
    assert f1(y, p) == pytest.approx(sklearn_metrics.f1_score(y, predicted, average=average))
    expected = ((p - np.eye(k)[y]) ** 2).sum(1).mean() if k > 2 else sklearn_metrics.brier_score_loss(y, p)
    assert brier(y, p) == pytest.approx(expected)


@pytest.mark.parametrize("n_bins", [5, 15])
def test_calibration_error_is_that_of_torchmetrics(n_bins):
    y, p = binary(2000, 3)
    expected = binary_calibration_error(torch.tensor(p), torch.tensor(y), n_bins=n_bins, norm="l1")
    assert expected_calibration_error(p, y == 1, n_bins) == pytest.approx(float(expected), abs=1e-6)
    assert calibration_error(y, p, n_bins=n_bins) == pytest.approx(float(expected), abs=1e-6)
    y, p = multiclass(2000, 4, 3)
    expected = multiclass_calibration_error(torch.tensor(p), torch.tensor(y), 4, n_bins=n_bins, norm="l1")
    assert calibration_error(y, p, n_bins=n_bins) == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_is_the_weighted_gap_of_the_reliability_curve():
    y, p = binary(700, 5, decimals=1)
    curve = reliability_curve(p, y == 1)
    gap = (curve["n"] * (curve["confidence"] - curve["accuracy"]).abs()).sum() / curve["n"].sum()
    assert calibration_error(y, p) == pytest.approx(gap)
    assert curve["n"].sum() == 700


@pytest.mark.parametrize("specificity", [0.5, 0.8, 0.95])
def test_sensitivity_at_specificity_is_read_off_the_roc_curve(specificity):
    y, p = binary(400, 7, decimals=2)
    false_alarms, found, _ = sklearn_metrics.roc_curve(y, p, drop_intermediate=False)
    expected = found[false_alarms <= 1 - specificity + 1e-12].max()
    assert sensitivity_at_specificity(y, p, specificity=specificity) == pytest.approx(expected)


def test_decision_curve_counts_true_and_false_positives():
    y, p = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    curve = decision_curve(y, p, np.array([0.25, 0.5])).set_index("threshold")
    assert curve.loc[0.25, "model"] == pytest.approx(2 / 5 - 1 / 5 * (1 / 3))
    assert curve.loc[0.5, "model"] == pytest.approx(1 / 5 - 1 / 5)
    assert curve.loc[0.5, "treat_all"] == pytest.approx(2 / 5 - 3 / 5)
    assert (curve["treat_none"] == 0).all()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("k", [2, 3])
def test_a_metric_of_many_resamples_is_that_of_each_one(name, k):
    if (name, k) == ("sensitivity_at_specificity", 3):
        pytest.skip("two classes only")
    y, p = binary(60, 11, decimals=1) if k == 2 else multiclass(60, k, 11)
    weights = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=20)
    together = METRICS[name](y, p, weights)
    alone = [METRICS[name](y[index], p[index]) for index in (np.repeat(np.arange(60), w) for w in weights)]
    np.testing.assert_allclose(together, alone, atol=1e-12)


# --- undefined is NaN, wrong is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [auroc, balanced_accuracy, sensitivity_at_specificity])
def test_one_class_is_nan_with_a_warning_and_never_zero(metric):
    with pytest.warns(UndefinedMetric, match=metric.__name__):
        assert np.isnan(metric(np.ones(5, int), np.linspace(0, 1, 5)))


def test_a_domain_with_one_class_is_nan_and_the_others_keep_their_values():
    data = frame()
    data.loc[data["domain"] == "B", "y"] = 1
    with pytest.warns(UndefinedMetric):
        result = metrics_by(data, by=("algorithm", "domain"), n_resamples=20).set_index(["algorithm", "domain"])
    assert result.loc[("a", "B"), ["value", "low", "high"]].isna().all()
    assert result.loc["a"].drop("B")[["value", "low", "high"]].notna().all(axis=None)
    with pytest.warns(UndefinedMetric):
        assert metrics_by(data, by=("algorithm",), n_resamples=20)["value"].isna().all()


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [
        ([0, 1], [0.1, np.nan], "NaN"),
        ([0, 2], [0.1, 0.2], "class numbers"),
        ([], [], "n >= 1"),
        ([0, 1], [0.5], "pass"),
    ],
)
def test_wrong_input_is_refused_with_a_reason(y, p, words):
    with pytest.raises(ValueError, match=words):
        auroc(np.array(y), np.array(p))


# --- intervals --------------------------------------------------------------------------------------------------------


def test_the_interval_covers_the_true_auroc_in_93_to_97_percent_of_1000_draws():
    truth = stats.norm.cdf(1 / np.sqrt(2))
    covered = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 100)
        interval = bootstrap_interval(auroc, y, rng.normal(y, 1), seed=seed)
        covered += interval.low <= truth <= interval.high
    assert 930 <= covered <= 970


def test_patients_as_units_cover_where_images_as_units_do_not():
    covered = np.zeros(2)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), 8)
        y = np.repeat([0, 1], 240)
        score = rng.normal(y, 0.6) + np.repeat(rng.normal(0, 0.8, 60), 8)
        for i, units in enumerate((groups, None)):
            interval = bootstrap_interval(auroc, y, score, units, n_resamples=300, seed=seed)
            covered[i] += interval.low <= stats.norm.cdf(1 / np.sqrt(2)) <= interval.high
    assert covered[0] / 300 > 0.9
    assert covered[1] / 300 < 0.7


def test_bootstrap_interval_is_that_of_scipy_on_the_same_resamples():
    y, p = binary(80, 2, decimals=1)
    ours = bootstrap_interval(auroc, y, p, n_resamples=200, seed=9)
    rows = (np.arange(80),)
    theirs = stats.bootstrap(
        rows,
        lambda i: sklearn_metrics.roc_auc_score(y[i], p[i]),
        n_resamples=200,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(9),
    )
    assert ours[1:] == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


def test_the_interval_over_domains_is_students_t():
    values = [0.8, 0.7, 0.9, 0.6]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert t_interval(values)[1:] == pytest.approx(expected)
    with pytest.warns(UndefinedMetric):
        assert np.isnan(t_interval([0.8]).low)


@pytest.mark.parametrize(("n", "smallest"), [(2, 0.5), (4, 0.125), (6, 2 / 64), (10, 2 / 1024)])
def test_sign_flip_test_of_equal_signs_reaches_its_smallest_p_value(n, smallest):
    result = sign_flip_test(np.linspace(0.01, 0.05, n))
    assert result.p_value == pytest.approx(smallest)
    assert result.smallest_p_value == pytest.approx(smallest)


def test_sign_flip_test_is_that_of_scipy():
    d = np.random.default_rng(1).normal(0.5, 1, 8)
    expected = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_test(d).p_value == pytest.approx(expected)


def test_four_hospitals_do_not_become_four_hundred_replicates():
    assert sign_flip_test([0.02, 0.03, 0.01, 0.02]).p_value >= 0.125


# --- the tidy frame ---------------------------------------------------------------------------------------------------


class Brightness(torch.nn.Module):
    def predict(self, x):
        assert not self.training
        return torch.stack([0 * x.mean((1, 2, 3)), x.mean((1, 2, 3))], 1)


def dataset() -> DomainDataset:
    x = torch.rand((10, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    groups = np.array(["p1", "p1", "p2", "", "", "p1", "p2", "p2", "", ""])
    info = DatasetInfo("toy", "Toy", "", "", "")
    return DomainDataset(x, torch.arange(10) % 2, torch.arange(10) // 5, groups, ("no", "yes"), ("here", "there"), info)


def test_predictions_frame_has_a_row_per_image_and_patients_that_never_collide():
    model = Brightness().train()
    result = predictions_frame(model, dataset(), name="bright", seed=3, protocol="toy", batch_size=4)
    assert list(result.columns) == (
        ["run", "algorithm", "seed", "protocol", "split", "domain", "group", "index", "y", "pred", "prob_0", "prob_1"]
    )
    assert result["run"].unique().tolist() == ["toy/bright/3"]
    assert result["group"].tolist()[:6] == ["here/p1", "here/p1", "here/p2", "here/image 3", "here/image 4", "there/p1"]
    np.testing.assert_allclose(probabilities(result).sum(1), 1)
    np.testing.assert_allclose(
        probabilities(result)[:, 1], model.eval().predict(dataset().x).softmax(1)[:, 1], rtol=1e-5
    )


def test_predictions_frame_puts_the_mode_back():
    model = Brightness().train()
    predictions_frame(model, dataset(), name="bright", seed=3, protocol="toy")
    assert model.training


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
    assert (row["low"], row["high"]) == pytest.approx(t_interval(values)[1:])


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: pd.concat([f, f.assign(split="validation", run="v")]), "splits"),
        (lambda f: pd.concat([f, f]), "twice"),
        (lambda f: f.drop(columns="group"), "group"),
        (lambda f: f.iloc[:0], "0 rows"),
    ],
)
def test_frames_that_would_mix_images_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        metrics_by(change(frame()), n_resamples=10)


def test_results_repeat_and_leave_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (metrics_by(frame(), n_resamples=50, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert not first.equals(metrics_by(frame(), n_resamples=50, seed=5))
