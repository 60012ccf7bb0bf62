"""Intervals of scores: DeLong's, ours beside confidenceinterval's and MLstatkit's; the bootstrap beside SciPy's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from medgen_utils.evaluation import auroc, bootstrap_interval
from medgen_utils.evaluation.delong import auroc_estimate
from speed.pairs import Row, compare

RESAMPLES = 1000


def drawn(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and the scores of two models, (n,) each."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    a = rng.normal(y, 1)
    return y, a, a + rng.normal(size=n)


def interval(y: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Ours, every image a patient."""
    return auroc_estimate(y, [score], np.arange(len(y))).interval()[1:]


def difference(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Ours of the AUROC of a minus that of b on the same images."""
    one, other = (auroc_estimate(y, [score], np.arange(len(y)), "same") for score in (a, b))
    return one.minus(other).interval()[1:]


def scipy_bootstrap(y: np.ndarray, score: np.ndarray) -> object:
    return stats.bootstrap(
        (np.arange(len(y)),),
        lambda rows: roc_auc_score(y[rows], score[rows]),
        n_resamples=RESAMPLES,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(1),
    )


def rows(pairs: int) -> Iterator[Row]:
    from confidenceinterval import roc_auc_score as theirs
    from MLstatkit import Delong_test

    for n in (2_000, 100_000):
        y, a, b = drawn(n)
        peer = partial(theirs, y, a, method="delong")
        yield compare(f"DeLong interval, {n:,} images", "confidenceinterval", partial(interval, y, a), peer, pairs)
        peer = partial(Delong_test, y, a, b)
        yield compare(f"paired difference, {n:,} images", "MLstatkit", partial(difference, y, a, b), peer, pairs)
    y, a, _ = drawn(2_000)
    ours = partial(bootstrap_interval, auroc, y, a, n_resamples=RESAMPLES, seed=1)
    work = f"bootstrap of {RESAMPLES:,} resamples, 2,000 images"
    yield compare(work, "SciPy with scikit-learn's AUROC", ours, partial(scipy_bootstrap, y, a), pairs)
