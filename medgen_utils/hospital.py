"""One hospital of the synthetic clinic: scanner, patients and graders as named parameters. Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from medgen_utils.provenance import provenance

RANGES = {
    "gain": (0.05, 4.0),
    "gamma": (0.2, 5.0),
    "contrast": (0.05, 4.0),
    "blur": (0.0, 5.0),
    "noise": (0.0, 0.5),
    "texture_length": (0.3, 5.0),
    "lesion_size": (0.08, 0.36),
    "size_spread": (0.0, 0.5),
    "lesion_contrast": (0.0, 0.6),
    "irregularity": (0.0, 0.6),
    "marker_if_benign": (0.0, 1.0),
    "marker_if_malignant": (0.0, 1.0),
    "large_called_malignant": (0.0, 1.0),
    "label_flips": (0.0, 0.5),
}


@dataclass(frozen=True)
class Hospital:
    """One hospital: all that makes its images and labels differ from those of another. Chapter: domain_shift.

    "px at 28" are pixels of a 28 pixel wide image and scale with ``size``. ValueError for a value out of range.

    Acquisition, what the scanner does to the same tissue (in brackets the value that changes nothing):
      gain 0.05 to 4 [1], multiplies intensities; gamma 0.2 to 5 [1], their exponent; contrast 0.05 to 4 [1], stretches
      them about 0.5; blur 0 to 5 px at 28 [0], standard deviation of a Gaussian; noise 0 to 0.5 [0], standard deviation
      of pixel noise; polarity 1 [dark lesion] or -1 (bright lesion); stain, used with channels=3 only: how strongly the
      pigment absorbs red, green and blue, 0 to 3 each [1, 1, 1] (Beer-Lambert); texture_length 0.3 to 5 px at 28, the
      grain of the tissue as this scanner resolves it.
    Population: lesion_size 0.08 to 0.36, median radius as a share of the image width; size_spread 0 to 0.5, standard
      deviation of its logarithm; lesion_contrast 0 to 0.6, how much darker than the tissue; irregularity 0 to 0.6, how
      far a malignant contour strays from a smooth one, relative to its radius (0: the classes look the same).
    Prevalence: strictly between 0 and 1, the probability that a lesion is malignant.
    Marker, a bright (in colour: blue) square in the top left corner: marker_if_benign and marker_if_malignant, 0 to 1,
      its probability where the RECORDED label is benign or malignant; equal values make it a habit of the hospital.
    Graders: large_called_malignant 0 to 1, probability that a lesion of a radius above ``LARGE_LESION`` is recorded as
      malignant whatever it is; label_flips 0 to 0.5, probability that the label is then recorded the wrong way round.
    """

    name: str
    gain: float = 1.0
    gamma: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    noise: float = 0.012
    texture_length: float = 1.5
    stain: tuple[float, float, float] = (0.40, 0.85, 1.10)
    polarity: int = 1
    lesion_size: float = 0.22
    size_spread: float = 0.18
    lesion_contrast: float = 0.35
    irregularity: float = 0.25
    prevalence: float = 0.5
    marker_if_benign: float = 0.0
    marker_if_malignant: float = 0.0
    large_called_malignant: float = 0.0
    label_flips: float = 0.0

    def __post_init__(self) -> None:
        for parameter, (low, high) in RANGES.items():
            value = getattr(self, parameter)
            if not low <= value <= high:
                raise ValueError(f"{parameter}={value} at {self.name!r}: choose a value from {low} to {high}")
        if not 0 < self.prevalence < 1:
            raise ValueError(f"prevalence={self.prevalence} at {self.name!r}: choose a value strictly between 0 and 1")
        if self.polarity not in (1, -1):
            raise ValueError(f"polarity={self.polarity} at {self.name!r}: choose 1 (dark lesion) or -1 (bright lesion)")
        if len(self.stain) != 3 or not all(0 <= strength <= 3 for strength in self.stain):
            raise ValueError(f"stain={self.stain} at {self.name!r}: give three values from 0 to 3 (red, green, blue)")

    def changed(self, **parameters: object) -> Hospital:
        """The same hospital but for some of its parameters: ``hospital.changed(gain=1.0)``."""
        return replace(self, **parameters)


def describe(hospitals: Sequence[Hospital], same_patients: bool = False) -> pd.DataFrame:
    """The provenance of a drawn data set, a row a hospital; with ``same_patients`` they are scanners of one place."""
    rows = {
        hospital.name: {
            "hospital": "drawn: the same patients" if same_patients else f"drawn: {hospital.name}",
            "scanner": f"gain {hospital.gain:g}, gamma {hospital.gamma:g}, texture {hospital.texture_length:g}",
            "population": f"lesions of {hospital.lesion_size:g} of the width, {hospital.prevalence:.0%} malignant",
            "grader": f"{hospital.label_flips:.0%} flipped at random, {hospital.large_called_malignant:.0%} of large "
            "lesions called malignant",
        }
        for hospital in hospitals
    }
    return provenance(
        rows,
        country="none",
        years="none",
        tissue="drawn",
        species="none",
        label_definition="1 malignant (irregular contour), 0 benign, as recorded; true_y holds the truth",
    )
