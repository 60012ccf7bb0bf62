"""A tiny problem and a few contenders, which the tests of the benchmark share."""

from dataclasses import replace

from medgen_utils import clinic
from medgen_utils.benchmark.entries import Contender, Problem
from medgen_utils.data_augmentation import intensity_jitter
from medgen_utils.feature_alignment import CORAL

HOSPITALS = clinic.acquisition_hospitals()


def small_clinic(seed):
    return clinic.make_clinic(HOSPITALS, n=60, seed=seed, size=16)


def colour_clinic(seed):
    return clinic.make_clinic(HOSPITALS, n=60, seed=seed, size=28, channels=3)


SMALL = Problem(
    "small",
    small_clinic,
    (clinic.NEW_HOSPITAL, "hospital A"),
    ("hospital B", "hospital C"),
    steps=2,
    seeds=2,
    width=4,
    data="",
)
FEW = (
    Contender("ERM", "reference"),
    Contender("bound", "reference", sees_target=True),
    Contender("jitter", "augmentation", augment=intensity_jitter, strengths={"strength": (1.0, 0.5, 2.0)}),
    Contender("CORAL", "alignment", CORAL, {"weight": (1.0, 0.1, 10.0)}),
)
INNER = {("small", target): inner for target, inner in zip(SMALL.targets, SMALL.inner, strict=True)}
CREW = (replace(FEW[0], primary=True), replace(FEW[2], primary=True))
PROBLEM = replace(SMALL, load=lambda seed: small_clinic(0), data="clinic", seeds=2)
