"""Shifts are made, corrected and named as the chapter says, against cases whose answer is known."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score

from medgen_utils import shifts
from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.evaluation.metrics import expected_calibration_error
from medgen_utils.evaluation.predictions import predict_probabilities
from medgen_utils.shifts import diagnosis
from medgen_utils.training import ERM, build

INFO = DatasetInfo("toy", "toy", "drawn here", "none", "none")


def toy(counts: dict[tuple[int, int], int], group: list[str] | None = None) -> DomainDataset:
    """A data set with counts[domain, label] images."""
    rows = [key for key, n in counts.items() for _ in range(n)]
    domain, y = (torch.tensor(column, dtype=torch.int64) for column in zip(*rows, strict=True))
    names = np.array(group if group else [""] * len(y))
    return DomainDataset(torch.rand(len(y), 1, 8, 8), y, domain, names, ("benign", "malignant"), ("A", "B"), INFO)


def gaussians(prevalence: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels y, scores x ~ N(2 y, 1), and the exact probabilities (n, 2) at this prevalence."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < prevalence).astype(int)
    x = rng.normal(2.0 * y)
    return y, x, exact(x, prevalence)


def exact(x: np.ndarray, prevalence: float) -> np.ndarray:
    joint = np.stack([(1 - prevalence) * stats.norm.pdf(x), prevalence * stats.norm.pdf(x, 2)], axis=1)
    return joint / joint.sum(axis=1, keepdims=True)


# Prevalence


@pytest.mark.parametrize("prevalence", [0.1, 0.25, 0.5, 0.9])
def test_resampled_data_have_the_wanted_prevalence_and_are_the_largest_such_part(prevalence):
    dataset = toy({(0, 0): 300, (0, 1): 100})
    part = shifts.resample_prevalence(dataset, prevalence, seed=0)
    n = torch.bincount(part.y)
    assert abs(float(n[1]) / len(part) - prevalence) < 0.5 / len(part) + 1e-9
    assert n[0] == 300 or n[1] == 100


def test_resampling_draws_without_replacement_and_repeats_with_its_seed():
    dataset = toy({(0, 0): 40, (0, 1): 40}, [f"patient {i}" for i in range(80)])
    part, again, other = (shifts.resample_prevalence(dataset, 0.2, seed) for seed in (1, 1, 2))
    assert len(set(part.group)) == len(part)
    assert list(part.group) == list(again.group) != list(other.group)


@pytest.mark.parametrize("prevalence", [-0.1, 1.1, (0.5, 0.6), (1.0,)])
def test_resampling_to_impossible_shares_is_refused(prevalence):
    with pytest.raises(ValueError, match="sum to 1"):
        shifts.resample_prevalence(toy({(0, 0): 5, (0, 1): 5}), prevalence, seed=0)


def test_resampling_to_a_class_that_is_missing_is_refused():
    with pytest.raises(ValueError, match="missing"):
        shifts.resample_prevalence(toy({(0, 0): 5}), 0.5, seed=0)


def test_one_image_of_each_patient_is_kept_and_all_without_a_patient():
    dataset = toy({(0, 0): 4, (1, 0): 3}, ["a", "a", "b", "", "", "a", "a"])
    assert sorted(shifts.one_per_group(dataset, seed=0).group) == ["", "", "a", "a", "b"]  # "a" in two domains


# Correcting for a prior


@pytest.mark.parametrize("target", [0.02, 0.2, 0.5, 0.95])
def test_prior_correction_is_exact_on_gaussians(target):
    x = np.linspace(-4, 6, 101)
    corrected = shifts.prior_correction(exact(x, 0.5), [0.5, 0.5], [1 - target, target])
    np.testing.assert_allclose(corrected, exact(x, target), rtol=1e-10)


def test_prior_correction_restores_calibration_and_keeps_the_ranking():
    y, _, prob = gaussians(0.1, 20_000, seed=0)
    wrong = shifts.prior_correction(prob, [0.9, 0.1], [0.5, 0.5])  # as if trained on balanced batches
    corrected = shifts.prior_correction(wrong, [0.5, 0.5], [0.9, 0.1])
    assert expected_calibration_error(wrong[:, 1], y == 1) > 0.1
    assert expected_calibration_error(corrected[:, 1], y == 1) < 0.015
    assert roc_auc_score(y, wrong[:, 1]) == pytest.approx(roc_auc_score(y, corrected[:, 1]), abs=1e-12)


def test_prior_correction_refuses_shares_that_do_not_fit():
    with pytest.raises(ValueError, match="one share"):
        shifts.prior_correction(np.full((3, 2), 0.5), [1.0], [1.0])
    with pytest.raises(ValueError, match="positive"):
        shifts.prior_correction(np.full((3, 2), 0.5), [1.0, 0.0], [0.5, 0.5])


# Estimating a prior


@pytest.mark.parametrize("true", [0.05, 0.3, 0.8])
def test_label_shift_estimates_lie_in_their_interval_as_often_as_it_says(true):
    inside = 0
    for seed in range(100):
        y, _, prob = gaussians(0.5, 400, seed)
        _, x, _ = gaussians(true, 300, 1000 + seed)
        estimate = shifts.estimate_label_shift(y, prob.argmax(1), exact(x, 0.5).argmax(1), seed, n_resamples=200)
        inside += estimate.low[1] <= true <= estimate.high[1]
    assert inside >= 90


def test_label_shift_estimate_solves_the_confusion_matrix_by_hand():
    y = np.array([0] * 50 + [1] * 50)
    predicted = np.array([0] * 40 + [1] * 10 + [0] * 5 + [1] * 45)  # sensitivity 0.9, false alarms 0.2
    new = np.array([0] * 66 + [1] * 34)  # 0.2 * 0.9 + 0.8 * 0.2 = 0.34
    estimate = shifts.estimate_label_shift(y, predicted, new, seed=0)
    np.testing.assert_allclose(estimate.prevalence, [0.8, 0.2])
    np.testing.assert_allclose(estimate.weights, [1.6, 0.4])
    assert estimate.low[1] < 0.2 < estimate.high[1]


def test_label_shift_with_three_classes():
    rng = np.random.default_rng(0)
    confusion = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.0, 0.3, 0.7]])
    source, target = rng.choice(3, 3000), rng.choice(3, 3000, p=[0.6, 0.1, 0.3])
    source_hat, target_hat = ((confusion[y].cumsum(1) < rng.random((3000, 1))).sum(1) for y in (source, target))
    estimate = shifts.estimate_label_shift(source, source_hat, target_hat, seed=0)
    assert ((estimate.low <= [0.6, 0.1, 0.3]) & (estimate.high >= [0.6, 0.1, 0.3])).all()


def test_label_shift_needs_predictions_that_depend_on_the_label():
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="no inverse"):
        shifts.estimate_label_shift(y, predicted, predicted, seed=0)


# Which kind of shift?


def outputs(prevalence=0.5, move=0.0, flips=0.0, n=600, seed=0, labelled=True) -> shifts.Outputs:
    """Features N(2 y, 1) and one that says nothing of y; ``move`` shifts both, ``flips`` changes recorded labels."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < prevalence).astype(int)
    features = rng.normal(size=(n, 2)) + np.stack([2.0 * y, 0 * y], axis=1) + move
    recorded = np.where(rng.random(n) < flips, 1 - y, y)
    return shifts.Outputs(features, exact(features[:, 0], 0.5), recorded if labelled else None)


CASES = [
    ("prior shift", {"prevalence": 0.2}, False),
    ("prior shift", {"prevalence": 0.2}, True),
    ("covariate shift", {"move": 0.8}, False),
    ("covariate shift", {"move": 0.8}, True),
    ("concept shift", {"flips": 0.3}, True),
    ("no shift seen", {"flips": 0.3}, False),  # without labels a concept shift cannot be seen
    ("several shifts", {"prevalence": 0.2, "move": 0.8}, True),
]


@pytest.mark.parametrize(("verdict", "change", "labelled"), CASES)
def test_the_verdict_names_the_shift_that_was_made(verdict, change, labelled):
    reports = [
        shifts.diagnose(outputs(seed=seed), outputs(**change, seed=100 + seed, labelled=labelled), seed, n_repeats=0)
        for seed in range(12)
    ]
    assert sum(report.verdict == verdict for report in reports) >= 9


@pytest.mark.parametrize("labelled", [False, True])
def test_without_a_shift_a_verdict_is_rarely_given(labelled):
    reports = [
        shifts.diagnose(
            outputs(seed=seed, n=200), outputs(seed=500 + seed, n=200, labelled=labelled), seed, n_repeats=0
        )
        for seed in range(100)
    ]
    assert np.mean([report.verdict != "no shift seen" for report in reports]) <= 0.07


def test_agreement_is_high_for_a_clear_shift_and_evidence_is_corrected():
    report = shifts.diagnose(outputs(), outputs(move=2.0, seed=1, labelled=False), seed=0, n_repeats=5)
    assert report.agreement == 1
    assert (report.evidence["adjusted"] >= report.evidence["p_value"]).all()
    np.testing.assert_allclose(report.prevalence.sum(), 1)


def test_diagnosis_needs_labels_of_the_source():
    with pytest.raises(ValueError, match="no labels"):
        shifts.diagnose(outputs(labelled=False), outputs(), seed=0)


# Few images, and none


def few(n: int, positives: int, labelled: bool = True, seed: int = 0) -> shifts.Outputs:
    """A model that predicts every class, on n images."""
    rng = np.random.default_rng(seed)
    y = np.repeat([1, 0], [positives, n - positives])
    score = rng.normal(size=n) + 2 * y
    p = 1 / (1 + np.exp(1 - score))
    return shifts.Outputs(np.c_[score, rng.normal(size=n)], np.c_[1 - p, p], y if labelled else None)


@pytest.mark.parametrize("labelled", [True, False])
def test_three_positives_give_a_diagnosis_and_halves_without_one_do_not_agree(labelled):
    report = shifts.diagnose(few(200, 3), few(200, 60, labelled, seed=1), 0)
    assert report.verdict in ("no shift seen", "prior shift", "covariate shift", "several shifts", "concept shift")
    assert 0 <= report.agreement <= 1


def test_a_class_that_the_source_lacks_is_named_as_the_reason():
    with pytest.raises(ValueError, match="source holds no image of class 1"):
        shifts.diagnose(few(60, 0), few(60, 30, labelled=False), 0)
    with pytest.raises(ValueError, match="class 1 is never predicted"):
        y = np.array([0, 0, 0, 1])
        shifts.estimate_label_shift(y, np.zeros(4, int), np.array([0, 1]), seed=0)


def test_too_few_images_at_the_prevalence_of_the_target_are_named():
    with pytest.raises(ValueError, match="add source images of the rare class"):
        shifts.diagnose(few(60, 1), few(60, 60), 0, n_repeats=0)
    assert shifts.diagnose(few(60, 2), few(60, 60), 0, n_repeats=0).prevalence.tolist() == [0, 1]


def test_a_target_without_one_class_is_diagnosed():
    assert shifts.diagnose(few(60, 30), few(60, 0), 0, n_repeats=2).prevalence.tolist() == [1, 0]


def test_probabilities_sure_of_a_class_that_the_target_lacks_leave_the_other_classes():
    corrected = shifts.prior_correction(np.array([[1.0, 0, 0], [0.2, 0.4, 0.4]]), [0.3, 0.3, 0.4], [0, 0.5, 0.5])
    np.testing.assert_allclose(corrected.sum(1), 1)
    np.testing.assert_allclose(corrected[0], np.array([0, 0.5 / 0.3, 0.5 / 0.4]) / (0.5 / 0.3 + 0.5 / 0.4))
    with pytest.raises(ValueError, match="NaN"):
        shifts.prior_correction(np.array([[np.nan, 1]]), [0.5, 0.5], [0.5, 0.5])
    with pytest.raises(ValueError, match="give shares"):
        shifts.prior_correction(np.array([[0.5, 0.5]]), [0.5, 0.5], [0, 0])


# Outputs of a model


def test_outputs_are_those_of_the_model_and_lose_only_what_is_asked():
    images = toy({(0, 0): 9, (1, 1): 7})
    model = build(ERM, images, seed=0, width=4).eval()
    seen = shifts.outputs_of(model, images)
    np.testing.assert_allclose(seen.prob, predict_probabilities(model, images.x), atol=1e-6)
    np.testing.assert_array_equal(seen.y, images.y)
    np.testing.assert_array_equal(seen.pixels, images.x.flatten(1))
    part = seen.rows(slice(2, 5)).blind()
    assert part.y is None and part.pixels.shape == (3, 64) and part.features.shape == (3, seen.features.shape[1])


def test_label_shift_is_right_where_the_source_is_not_balanced():
    y = np.repeat([0, 1], [160, 40])
    predicted = np.r_[np.repeat([0, 1], [128, 32]), np.repeat([0, 1], [4, 36])]  # sensitivity .9, false alarms .2
    new = np.repeat([0, 1], [45, 55])  # half of them positive: .5 * .9 + .5 * .2 = .55
    estimate = shifts.estimate_label_shift(y, predicted, new, seed=0, n_resamples=0)
    np.testing.assert_allclose(estimate.prevalence, [0.5, 0.5])
    np.testing.assert_allclose(estimate.weights, [0.625, 2.5])


def test_which_image_of_a_patient_is_kept_is_drawn_with_the_seed():
    dataset = toy({(0, 0): 30}, [f"p{i // 5}" for i in range(30)])
    kept = [shifts.one_per_group(dataset, seed).index.tolist() for seed in (0, 0, 1, 2)]
    assert kept[0] == kept[1] and len({tuple(part) for part in kept}) == 3


def drawn_outputs(n: int, seed: int, shift: float = 0.0) -> shifts.Outputs:
    y, x, prob = gaussians(0.5, n, seed)
    return shifts.Outputs(np.stack([x + shift, 0 * x], axis=1) + 1e-3, prob, y)


def test_the_test_within_classes_counts_its_classes():
    source, target = drawn_outputs(200, 0), drawn_outputs(200, 1, 0.2)
    found = shifts.diagnose(source, target, seed=0, n_repeats=0).evidence.set_index("test")
    tests = [shifts.black_box_shift_detection(source.prob[source.y == c], target.prob[target.y == c]) for c in (0, 1)]
    smallest = min(test.p_value for test in tests)
    assert found.loc["outputs within a class", "p_value"] == pytest.approx(min(1, 2 * smallest))


def test_agreement_is_asked_of_halves(monkeypatch):
    sizes, real = [], diagnosis.black_box_shift_detection
    monkeypatch.setattr(
        diagnosis, "black_box_shift_detection", lambda a, b: sizes.append((len(a), len(b))) or real(a, b)
    )
    shifts.diagnose(
        drawn_outputs(101, 0).blind()._replace(y=drawn_outputs(101, 0).y), drawn_outputs(60, 1).blind(), 0, n_repeats=3
    )
    assert sizes.count((101, 60)) == 1 and sizes.count((50, 30)) == 3


def test_one_class_alone_has_no_share_to_estimate():
    nothing = np.zeros(5, int)
    with pytest.raises(ValueError, match="only one class occurs"):
        shifts.estimate_label_shift(nothing, nothing, nothing, seed=0)
