"""Make a shift, measure it, correct for it. Chapter: domain_shift."""

from medgen_utils.shifts.corruptions import CORRUPTIONS, corrupt
from medgen_utils.shifts.detection import (
    ShiftTest,
    black_box_shift_detection,
    domain_classifier_test,
    mmd_two_sample_test,
    predicted_label_test,
)
from medgen_utils.shifts.diagnosis import (
    LabelShift,
    Outputs,
    ShiftReport,
    diagnose,
    estimate_label_shift,
    one_per_group,
    outputs_of,
    prior_correction,
    resample_prevalence,
)
from medgen_utils.shifts.stress import Stress, Version, kinds, stress

__all__ = [
    "CORRUPTIONS", "LabelShift", "Outputs", "ShiftReport", "ShiftTest", "Stress", "Version",
    "black_box_shift_detection", "corrupt",
    "diagnose", "domain_classifier_test", "estimate_label_shift", "kinds", "mmd_two_sample_test", "one_per_group",
    "outputs_of", "predicted_label_test", "prior_correction", "resample_prevalence", "stress",
]  # fmt: skip
