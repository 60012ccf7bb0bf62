"""From predictions to claims: metrics, intervals, comparisons by domain. Chapter: evaluation_protocols."""

from medgen_utils.evaluation import power
from medgen_utils.evaluation.bootstrap import bootstrap_draws, bootstrap_interval
from medgen_utils.evaluation.by_domain import (
    generalization_gap,
    metrics_by,
    paired_difference,
    worst_domain,
)
from medgen_utils.evaluation.cells import Cell, Cells, cells_by_domain
from medgen_utils.evaluation.intervals import (
    Interval,
    SignFlip,
    holm,
    sign_flip_test,
    t_interval,
    with_interval,
    with_repeats,
)
from medgen_utils.evaluation.metrics import (
    METRICS,
    UndefinedMetric,
    accuracy,
    auroc,
    average_precision,
    balanced_accuracy,
    brier,
    calibration_error,
    decision_curve,
    expected_calibration_error,
    f1,
    reliability_curve,
    sensitivity_at_specificity,
)
from medgen_utils.evaluation.predictions import predict_probabilities, predictions_frame, probabilities

__all__ = [
    "METRICS", "Cell", "Cells", "Interval", "SignFlip", "UndefinedMetric", "accuracy", "auroc", "average_precision",
    "balanced_accuracy",
    "bootstrap_draws", "bootstrap_interval", "brier", "calibration_error", "cells_by_domain", "decision_curve",
    "expected_calibration_error", "f1", "generalization_gap", "holm", "metrics_by", "paired_difference", "power",
    "predict_probabilities", "predictions_frame", "probabilities", "reliability_curve",
    "sensitivity_at_specificity", "sign_flip_test", "t_interval", "with_interval", "with_repeats", "worst_domain",
]  # fmt: skip
