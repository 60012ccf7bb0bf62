"""What a linear classifier reads from frozen features. Chapters: self_supervision, feature_alignment, pretraining."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from torch import Tensor


def linear_probe(
    z: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    strength: float = 1.0,
    *,
    weights: np.ndarray | None = None,
    balanced: bool = False,
) -> Pipeline:
    """Standardised features, then logistic regression with the L2 penalty 1 / (2 * strength): a fitted pipeline.

    z (n, d), labels (n,); ``weights`` (n,) >= 0 of the images in the regression; ``balanced`` gives every class the
    same total weight. Embeddings with more numbers than there are patients want a ``strength`` of .01 or less.
    """
    from sklearn.linear_model import LogisticRegression  # a second, so only where it is needed
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = LogisticRegression(C=strength, max_iter=2000, class_weight="balanced" if balanced else None)
    probe = make_pipeline(StandardScaler(), classifier)
    return probe.fit(np.asarray(z), np.asarray(labels), logisticregression__sample_weight=weights)
