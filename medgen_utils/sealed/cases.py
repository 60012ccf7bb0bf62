"""What a seed hides: one or two causes with their strengths, and the four hospitals that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from medgen_utils import clinic, draws
from medgen_utils.hospital import Hospital

CAUSES = ("scanner", "shortcut", "population", "prevalence", "graders")
REMEDIES = ("none", "augmentation", "cover", "sizes", "prior", "consensus")
ANSWERS = {
    "scanner": "augmentation",
    "shortcut": "cover",
    "population": "sizes",
    "prevalence": "prior",
    "graders": "consensus",
}
"""The remedy that was made for each cause; what it earns is measured all the same."""
SCANNERS = (("gamma", 0.35, 0.6), ("gain", 0.15, 0.35), ("blur", 0.7, 1.4), ("noise", 0.05, 0.12))
AGREEMENTS = (0.99, 0.97, 0.95)  # of marker and label at the training hospitals, where there is a shortcut
AT_RANDOM = 0.3  # share of images with a marker where it says nothing
BIASED = 0.9  # share of the large lesions that biased graders call malignant
HOME, SEALED, POOL = 60, 300, 100  # images of each training hospital, of the sealed one, of those that tools may show
NEW = 3
DRAWN = 77  # kind of stream


@dataclass(frozen=True)
class Hidden:
    """What the player has to find: causes in the order of `CAUSES`, and the hospitals, the sealed one last."""

    seed: int
    causes: tuple[str, ...]
    hospitals: tuple[Hospital, ...]

    @property
    def condition(self) -> str:
        """How the training hospitals differ from plain ones: which networks were trained there."""
        return condition_of(self.causes)


def condition_of(causes: Sequence[str]) -> str:
    return next((cause for cause in causes if cause in ("shortcut", "graders")), "plain")


def training_hospitals(condition: str = "plain") -> tuple[Hospital, ...]:
    """Three hospitals to train at; ``condition`` "plain", "shortcut" or "graders"."""
    found = []
    for hospital, agreement in zip(clinic.acquisition_hospitals(NEW, 1.0)[:NEW], AGREEMENTS, strict=True):
        benign, malignant = (1 - agreement, agreement) if condition == "shortcut" else (AT_RANDOM, AT_RANDOM)
        bias = BIASED if condition == "graders" else 0.0
        found.append(
            replace(hospital, marker_if_benign=benign, marker_if_malignant=malignant, large_called_malignant=bias)
        )
    return tuple(found)


def hide(seed: int) -> Hidden:
    """Draw the case of a seed, 0 or more. One cause with probability 0.6, else two; never shortcut and graders both."""
    numbers = draws.Stream(draws.seed_of(seed, DRAWN)).random(8).tolist()
    number, first, second, kind, strength, agreement, size, share = numbers
    chosen = [CAUSES[int(5 * first)]]
    others = [cause for cause in CAUSES if cause != chosen[0]]
    other = others[int(4 * second)]
    if number >= 0.6 and {chosen[0], other} != {"shortcut", "graders"}:
        chosen.append(other)
    causes = tuple(cause for cause in CAUSES if cause in chosen)
    changes: dict[str, float] = {"marker_if_benign": AT_RANDOM, "marker_if_malignant": AT_RANDOM}
    if "scanner" in causes:
        name, low, high = SCANNERS[int(4 * kind)]
        changes[name] = low + (high - low) * strength
    if "shortcut" in causes:
        agrees = 0.05 + 0.45 * agreement
        changes |= {"marker_if_benign": 1 - agrees, "marker_if_malignant": agrees}
    if "population" in causes:
        changes["lesion_size"] = 0.1 + 0.05 * size
    if "prevalence" in causes:
        changes["prevalence"] = 0.08 + 0.17 * share
    sealed = replace(Hospital("sealed hospital"), **changes)
    return Hidden(seed, causes, (*training_hospitals(condition_of(causes)), sealed))


def images(hidden: Hidden) -> tuple[clinic.Clinic, clinic.Clinic]:
    """The images of a case: `HOME` of each training hospital (not those trained on), `SEALED` of the sealed one."""
    everything = clinic.make_clinic(hidden.hospitals, SEALED, hidden.seed, streams=draws.streams)
    place = torch.arange(len(everything)) % SEALED
    home = everything.subset((everything.domain < NEW) & (place < HOME))
    return home, everything.subset(everything.domain == NEW)
