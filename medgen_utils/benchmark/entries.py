"""Who takes part in the scoreboard and on what: contenders with their search spaces, and problems. Chapter: scoreboard.

A new method is one `Contender` in `CONTENDERS`, a new data set one `Problem` in `PROBLEMS`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from torch import Tensor

from medgen_utils import clinic, concept_shift, data_augmentation, feature_alignment, meta_learning, self_supervision
from medgen_utils.clinic import NEW_HOSPITAL, Hospital
from medgen_utils.data import load
from medgen_utils.domains import DomainDataset
from medgen_utils.training import ERM, Augmentation, flips, flips_and_turns

SHARED_SPACE = {"learning_rate": (2e-3, 5e-4, 8e-3), "weight_decay": (1e-3, 1e-5, 1e-2)}  # of every contender


@dataclass(frozen=True)
class Contender:
    """A row of the scoreboard: an algorithm with its augmentation or normalization, and what a search may change.

    ``space`` maps hyper-parameters of the algorithm (of ``pretrain`` where there is one) to (default, low, high);
    ``strengths`` does so for keyword arguments of ``augment``. Trial 0 is the defaults, every other trial draws each
    log-uniformly, learning rate and weight decay too (`SHARED_SPACE`). ``passes`` multiplies the training steps.
    """

    name: str
    family: str
    algorithm: type[ERM] = ERM
    space: dict[str, tuple[float, float, float]] = field(default_factory=dict, hash=False)
    augment: Augmentation | None = None
    strengths: dict[str, tuple[float, float, float]] = field(default_factory=dict, hash=False)
    normalize: Callable[[Tensor], Tensor] | None = None
    pretrain: type[ERM] | None = None
    passes: int = 1
    sees_target: bool = False
    needs_colour: bool = False

    def settings(self, trial: int) -> dict[str, float]:
        """Hyper-parameters of a trial, drawn from the contender's name and the trial's number alone."""
        spaces = {**SHARED_SPACE, **self.space, **self.strengths}
        if trial == 0:
            return {name: default for name, (default, _, _) in spaces.items()}
        random = np.random.default_rng((zlib.crc32(self.name.encode()), trial))
        drawn = {name: np.exp(random.uniform(np.log(low), np.log(high))) for name, (_, low, high) in spaces.items()}
        return {name: float(f"{value:.3g}") for name, value in drawn.items()}


@dataclass(frozen=True)
class Problem:
    """A column of the scoreboard: a data set, who is left out, and the base augmentation.

    ``load(seed)`` gives the data set (a constructed one may depend on the seed). Each of ``targets`` is left out once;
    ``inner`` names, for each, the source that is left out with it for held-out-domain validation. ``seeds``: of the
    final runs.
    """

    name: str
    load: Callable[[int], DomainDataset]
    targets: tuple[str, ...]
    inner: tuple[str, ...]
    steps: int
    seeds: int
    augment: Augmentation = flips
    balanced: bool = True
    width: int = 16
    colour: bool = False

    def left_out(self) -> list[tuple[str, ...]]:
        """What a search trains without: each target alone, and each with its inner domain (a pair only once)."""
        pairs = {tuple(sorted(pair)) for pair in zip(self.targets, self.inner, strict=True)}
        return [(target,) for target in self.targets] + sorted(pairs)


def _weight(default: float, low: float, high: float) -> dict[str, tuple[float, float, float]]:
    return {"weight": (default, low, high)}


def _to_grey(x: Tensor) -> Tensor:
    return 2 * data_augmentation.to_grey(x) - 1


COMPUTE = 4  # training steps of "ERM, more compute" for one of the others: what the costliest contender needs
CONTENDERS = (
    Contender("ERM", "reference"),
    Contender("ERM, more compute", "reference", passes=COMPUTE),
    Contender("in-domain upper bound", "reference", sees_target=True),
    Contender("per-image standardization", "normalization", normalize=data_augmentation.standardize_per_image),
    Contender("grey-scale", "normalization", normalize=_to_grey, needs_colour=True),
    Contender(
        "intensity jitter", "augmentation",
        augment=data_augmentation.intensity_jitter, strengths={"strength": (1.0, 0.25, 2.0)},
    ),
    Contender(
        "stain jitter", "augmentation", needs_colour=True,
        augment=data_augmentation.stain_jitter, strengths={"strength": (0.1, 0.03, 0.3)},
    ),
    Contender("RandConv", "augmentation", data_augmentation.RandConv, _weight(10, 1, 20)),
    Contender("AugMix", "augmentation", data_augmentation.AugMix, _weight(12, 1, 20)),
    Contender("amplitude mix", "augmentation", data_augmentation.AmplitudeMix, {"strength": (1.0, 0.2, 1.0)}),
    Contender("mixup", "augmentation", data_augmentation.Mixup, {"alpha": (0.2, 0.05, 1.0)}),
    Contender("MixStyle", "augmentation", data_augmentation.StyleMixing, {"alpha": (0.1, 0.05, 1.0)}),
    Contender("CORAL", "alignment of features", feature_alignment.CORAL, _weight(1, 0.1, 10)),
    Contender("conditional CORAL", "alignment of features", feature_alignment.ConditionalCORAL, _weight(1, 0.1, 10)),
    Contender("MMD", "alignment of features", feature_alignment.MMD, _weight(1, 0.1, 10)),
    Contender("DANN", "alignment of features", feature_alignment.DANN, _weight(1, 0.1, 3)),
    Contender("CDANN", "alignment of features", feature_alignment.CDANN, _weight(1, 0.1, 3)),
    Contender("IRM", "alignment of risks", feature_alignment.IRM, _weight(100, 1, 1000)),
    Contender("V-REx", "alignment of risks", feature_alignment.VREx, _weight(10, 1, 100)),
    Contender("group DRO", "alignment of risks", feature_alignment.GroupDRO, {"step_size": (0.01, 0.001, 0.1)}),
    Contender("Fishr", "alignment of gradients", feature_alignment.Fishr, _weight(1000, 100, 10000)),
    Contender("Fish", "alignment of gradients", meta_learning.Fish, {"inner_learning_rate": (0.05, 0.005, 0.2)}),
    Contender(
        "MLDG", "meta-learning", meta_learning.MLDG,
        {"inner_learning_rate": (0.05, 0.005, 0.2), "beta": (1.0, 0.3, 3.0)},
    ),
    Contender(
        "MASF", "meta-learning", meta_learning.MASF,
        {"inner_learning_rate": (0.05, 0.005, 0.2), "beta": (1.0, 0.3, 3.0)},
    ),
    Contender("SimCLR", "self-supervision", pretrain=self_supervision.SimCLR, space={"temperature": (0.5, 0.1, 1.0)}),
    Contender("BYOL", "self-supervision", pretrain=self_supervision.BYOL),
    Contender("RotNet", "self-supervision", pretrain=self_supervision.RotNet),
    Contender("masked images", "self-supervision", pretrain=self_supervision.MAE, space={"share": (0.6, 0.3, 0.8)}),
    Contender("JiGen", "self-supervision", self_supervision.JiGen, _weight(0.7, 0.1, 2)),
    Contender(
        "generalized cross-entropy", "noisy labels", concept_shift.GeneralizedCrossEntropy, {"q": (0.7, 0.3, 1.0)}
    ),
    Contender("co-teaching", "noisy labels", concept_shift.CoTeaching, {"forget_rate": (0.2, 0.05, 0.4)}),
)  # fmt: skip


def _clinic(name: str, hospitals: tuple[Hospital, ...], balanced: bool = True) -> Problem:
    """A clinic of 4 x 500 new patients for each seed; hospital B is left out for held-out-domain validation."""

    def load_clinic(seed: int) -> DomainDataset:
        return clinic.make_clinic(hospitals, n=500, seed=seed)

    return Problem(name, load_clinic, (NEW_HOSPITAL,), ("hospital B",), steps=150, seeds=3, balanced=balanced)


@lru_cache(maxsize=1)
def _breast_ultrasound(seed: int) -> DomainDataset:
    return load("breast-ultrasound")


@lru_cache(maxsize=1)
def _mitosis(seed: int) -> DomainDataset:
    return load("mitosis")


# inner domains in pairs, so that one run without both serves each of the two as target
BREAST = ("GE Logiq E9", "GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300")
BREAST_INNER = ("GE Logiq 7", "GE Logiq E9", "Toshiba Aplio 300", "GE Logiq 5")
MITOSIS = ("MIDOG21-HamamatsuXR", "MIDOG21-HamamatsuS360", "MIDOG21-AperioCS2", "TUPAC16", "TCGA-BRCA", "MIDOG++")
MITOSIS_INNER = ("MIDOG21-HamamatsuS360", "MIDOG21-HamamatsuXR", "TUPAC16", "MIDOG21-AperioCS2", "MIDOG++", "TCGA-BRCA")

PROBLEMS = (
    _clinic("clinic: acquisition", clinic.acquisition_hospitals()),
    _clinic("clinic: population", clinic.population_hospitals()),
    # a class-balanced batch would take the prior shift out of the training, so here batches are as they come
    _clinic("clinic: prevalence", clinic.prevalence_hospitals((0.9, 0.5, 0.1), 0.5), balanced=False),
    _clinic("clinic: shortcut", clinic.shortcut_hospitals()),
    _clinic("clinic: graders", clinic.grader_hospitals()),
    Problem("breast ultrasound", _breast_ultrasound, BREAST, BREAST_INNER, steps=240, seeds=2),
    Problem("mitosis", _mitosis, MITOSIS, MITOSIS_INNER, steps=240, seeds=2, augment=flips_and_turns, colour=True),
)
