"""Two-sample tests that notice a shift, in the images or in what a model makes of them. Chapter: domain_shift.

Every test asks: could both samples come from one distribution? It takes the rows as independent draws: pass one image
a patient (`shifts.one_per_group`), and for a model's outputs images that the model was not trained on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

# SciPy's statistics and scikit-learn take a second to import, so each test imports what it needs.


class ShiftTest(NamedTuple):
    """The statistic of a test and its p-value, small where it is hard to believe in one distribution."""

    statistic: float
    p_value: float


def mmd_two_sample_test(
    a: np.ndarray | Tensor, b: np.ndarray | Tensor, seed: int, n_permutations: int = 500
) -> ShiftTest:
    """Do two samples of images or features differ? Maximum mean discrepancy with a permutation p-value.

    a (n, ...), b (m, ...), n and m >= 2: pixels or features, flattened. Kernel exp(-distance^2 / (2 s^2)) with
    2 s^2 = the median squared distance of the pooled sample. Statistic: the biased squared MMD, >= 0.
    p-value: (1 + permutations with at least this statistic) / (1 + n_permutations), so never below
    1 / (1 + n_permutations). Memory grows with (n + m)^2: a few hundred images a side are enough.
    ValueError where a sample is too small or shapes differ. Source: Gretton et al. 2012. Chapter: domain_shift.
    """
    statistic, dealt = mmd_and_deals(a, b, seed, n_permutations)
    return ShiftTest(statistic, _permutation_p_value(statistic, dealt))


def mmd_and_deals(
    a: np.ndarray | Tensor, b: np.ndarray | Tensor, seed: int, n_permutations: int = 500
) -> tuple[float, np.ndarray]:
    """The statistic of `mmd_two_sample_test`, and its values (n_permutations,) over random deals of the rows."""
    from scipy.spatial.distance import pdist, squareform

    a, b = _rows(a, b)
    squared = squareform(pdist(np.concatenate([a, b]), "sqeuclidean"))
    median = np.median(squared[np.triu_indices(len(squared), 1)])
    kernel = np.exp(-squared / (median if median > 0 else 1.0))
    sign = np.concatenate([np.full(len(a), 1 / len(a)), np.full(len(b), -1 / len(b))])
    signs = np.random.default_rng(seed).permuted(np.tile(sign, (n_permutations, 1)), axis=1)
    return float(sign @ kernel @ sign), ((signs @ kernel) * signs).sum(axis=1)


def black_box_shift_detection(source_prob: np.ndarray, target_prob: np.ndarray) -> ShiftTest:
    """Do a model's outputs differ? Kolmogorov-Smirnov test of each class's probability, Bonferroni over classes.

    source_prob (n, k), target_prob (m, k), rows summing to 1. With two classes the columns say the same, so one is
    tested. Statistic: the largest distance between the cumulative distributions, in [0, 1].
    Source: Lipton, Wang & Smola 2018; Rabanser, Guennemann & Lipton 2019. Chapter: domain_shift.
    """
    from scipy import stats

    source_prob, target_prob = _rows(source_prob, target_prob)
    classes = [1] if source_prob.shape[1] == 2 else range(source_prob.shape[1])
    tests = [stats.ks_2samp(source_prob[:, label], target_prob[:, label]) for label in classes]
    largest = max(float(test.statistic) for test in tests)
    return ShiftTest(largest, min(1.0, len(tests) * min(float(test.pvalue) for test in tests)))


def predicted_label_test(source_predicted: np.ndarray, target_predicted: np.ndarray) -> ShiftTest:
    """Does a model predict the classes as often? Chi-square test of homogeneity on counts, no continuity correction.

    source_predicted (n,), target_predicted (m,): class numbers (or true labels, to compare prevalences).
    Statistic: chi-square, >= 0; 0 with p = 1 where only one class occurs. Chapter: domain_shift.
    """
    from scipy import stats

    if not len(source_predicted) or not len(target_predicted):
        raise ValueError(
            f"{len(source_predicted)} and {len(target_predicted)} predictions: the test needs some of both"
        )
    classes = np.union1d(source_predicted, target_predicted)
    if len(classes) < 2:
        return ShiftTest(0.0, 1.0)
    table = np.stack([(values == classes[:, None]).sum(axis=1) for values in (source_predicted, target_predicted)])
    result = stats.chi2_contingency(table, correction=False)
    return ShiftTest(float(result.statistic), float(result.pvalue))


def domain_classifier_test(a: np.ndarray | Tensor, b: np.ndarray | Tensor, seed: int) -> ShiftTest:
    """Can a classifier tell where an image comes from? Logistic regression on one half, tested on the other.

    a (n, ...), b (m, ...), n and m >= 4: pixels or features, flattened and standardised. Statistic: the held-out AUROC
    (0.5: it cannot tell; 1: it always can), which unlike accuracy does not depend on the sizes of the samples.
    p-value: one-sided Mann-Whitney test on the held-out scores. Source: Lopez-Paz & Oquab 2017 (with accuracy).
    Chapter: domain_shift.
    """
    from scipy import stats
    from sklearn.metrics import roc_auc_score

    score_a, score_b = domain_scores(a, b, seed)
    area = roc_auc_score(np.repeat([0, 1], [len(score_a), len(score_b)]), np.concatenate([score_a, score_b]))
    return ShiftTest(float(area), float(stats.mannwhitneyu(score_b, score_a, alternative="greater").pvalue))


def domain_scores(a: np.ndarray | Tensor, b: np.ndarray | Tensor, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the held-out rows of a and of b look like b to the classifier of `domain_classifier_test`: log-odds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    a, b = _rows(a, b, smallest=4)
    rng = np.random.default_rng(seed)
    a, b = a[rng.permutation(len(a))], b[rng.permutation(len(b))]
    middle_a, middle_b = len(a) // 2, len(b) // 2
    train = np.concatenate([a[:middle_a], b[:middle_b]])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, class_weight="balanced", max_iter=500))
    classifier.fit(train, np.repeat([0, 1], [middle_a, middle_b]))
    return classifier.decision_function(a[middle_a:]), classifier.decision_function(b[middle_b:])


def _rows(a: np.ndarray | Tensor, b: np.ndarray | Tensor, smallest: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both samples as float64 rows of the same length; ValueError where they are too small, do not fit or hold NaN."""
    a, b = (np.asarray(sample.detach().cpu() if isinstance(sample, Tensor) else sample, float) for sample in (a, b))
    if min(len(a), len(b)) < smallest or a.shape[1:] != b.shape[1:]:
        raise ValueError(f"samples of shapes {a.shape} and {b.shape}: give at least {smallest} rows each, of one shape")
    for name, sample in {"first": a, "second": b}.items():
        if not np.isfinite(sample).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(sample))[0])
            bad = int((~np.isfinite(sample)).sum())
            raise ValueError(f"{bad} values of the {name} sample are NaN or infinite (the first at {at}): repair them")
    return a.reshape(len(a), -1), b.reshape(len(b), -1)


def _permutation_p_value(statistic: float, permuted: np.ndarray) -> float:
    """Share of permutations (the observed one among them) with at least this statistic, rounding errors allowed."""
    return float((1 + (permuted >= statistic - 1e-12).sum()) / (1 + len(permuted)))
