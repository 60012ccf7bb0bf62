"""Who takes part in the scoreboard and on what: contenders with their search spaces, and problems. Chapter: scoreboard.

A new method is one `Contender` in `CONTENDERS`, a new data set one `Problem` in `PROBLEMS`. What they say is version 2
of the protocol, written down in ``chapters/evidence/README.md``; rows of earlier versions carry their own settings.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from medgen_utils import clinic, concept_shift, data_augmentation, feature_alignment, meta_learning, self_supervision
from medgen_utils.averaging import WeightAveraged
from medgen_utils.benchmark.elsewhere import FINE_TUNED, FROZEN, Elsewhere, features_as_images
from medgen_utils.clinic import NEW_HOSPITAL, Hospital
from medgen_utils.data import load
from medgen_utils.domains import DomainDataset
from medgen_utils.tables import did_you_mean
from medgen_utils.training import ERM, Augmentation, flips, flips_and_turns

PROTOCOL = 2
SHARED_SPACE = {"learning_rate": (1e-2, 1e-3, 2e-2), "weight_decay": (1e-3, 1e-5, 1e-2)}  # of every contender
# The fractional parts of trial * these numbers fill the square evenly however many trials there are (Roberts 2018).
EVEN = {"learning_rate": 0.7548776662466927, "weight_decay": 0.5698402909980532}
TRIALS, FEW_TRIALS = 8, 4
BUDGETS = (500, 1000, 2000, 4000, 8000)  # steps among which the budget of a problem is sought
FEW_STEPS = (30, 60, 125, 250, 500, 1000)  # of what learns on frozen features


@dataclass(frozen=True)
class Contender:
    """A row of the scoreboard: an algorithm with its augmentation or normalization, and what a search may change.

    ``space`` maps hyper-parameters of the algorithm (of ``pretrain`` where there is one) to (default, low, high);
    ``strengths`` does so for keyword arguments of ``augment``. Trial 0 is the defaults. Every other trial takes its
    learning rate and weight decay from the trial's number, the same for all contenders, and draws its own
    hyper-parameters log-uniformly. ``passes`` multiplies the training steps. ``primary``: it is of the family of
    comparisons that was written down before the runs; all others are exploratory.
    """

    name: str
    family: str
    algorithm: type[ERM] = ERM
    space: dict[str, tuple[float, float, float]] = field(default_factory=dict, hash=False)
    augment: Augmentation | None = None
    strengths: dict[str, tuple[float, float, float]] = field(default_factory=dict, hash=False)
    normalize: Callable[[Tensor], Tensor] | None = None
    pretrain: type[ERM] | None = None
    passes: float = 1
    sees_target: bool = False
    needs_colour: bool = False
    primary: bool = False

    def settings(self, trial: int) -> dict[str, float]:
        """Hyper-parameters of a trial; its own from name and number alone, so that other contenders change nothing."""
        own = {**self.space, **self.strengths}
        if trial == 0:
            return {name: default for name, (default, _, _) in {**SHARED_SPACE, **own}.items()}
        random = np.random.default_rng((zlib.crc32(self.name.encode()), trial))
        share = {name: trial * EVEN[name] % 1 for name in SHARED_SPACE} | {name: random.random() for name in own}
        spaces = {**SHARED_SPACE, **own}
        return {name: float(f"{low * (high / low) ** share[name]:.3g}") for name, (_, low, high) in spaces.items()}


@dataclass(frozen=True)
class Problem:
    """A column of the scoreboard: a data set, who is left out, and the base augmentation.

    ``load(seed)`` gives the data set (a constructed one may depend on the seed). Each of ``targets`` is left out once;
    ``inner`` names, for each, the source that is left out with it for held-out-domain validation. ``steps``: the
    budget, for which `runs.find_budget` looks among ``budgets`` (empty: a cap that the protocol states).
    ``validation_share`` of each source is set aside to select on (a tenth in protocol 0: at the smallest hospital two
    dozen images). ``seeds``: each with a search of its own.
    ``data``: what `load` calls images of patients ("": drawn ones); of these the primary family gets `TRIALS` settings
    instead of `FEW_TRIALS`, or ``most_trials`` if that is less.
    ``elsewhere``: a network that has learned elsewhere, in the place of the small CNN. ``methods``: names of the only
    contenders that take part (empty: all that can). Without ``inner`` there is no held-out-domain validation.
    A problem with another network or another size has another name, so that nothing mixes their rows.
    """

    name: str
    load: Callable[[int], DomainDataset]
    targets: tuple[str, ...]
    inner: tuple[str, ...]
    steps: int
    seeds: int
    augment: Augmentation | None = flips
    balanced: bool = True
    width: int = 16
    validation_share: float = 0.2
    size: int = 28
    colour: bool = False
    data: str = ""
    elsewhere: Elsewhere | None = None
    methods: tuple[str, ...] = ()
    most_trials: int = TRIALS
    budgets: tuple[int, ...] = BUDGETS

    @property
    def real(self) -> bool:
        """Images of patients, whose publishers are named."""
        return bool(self.data)

    @property
    def backbone(self) -> str:
        """What the rows call the network."""
        return self.elsewhere.name if self.elsewhere else f"small CNN, width {self.width}"

    def takes(self, contender: Contender) -> bool:
        """Whether a contender takes part here."""
        can = self.colour or not contender.needs_colour
        return contender.name in self.methods if self.methods else can

    def left_out(self) -> list[tuple[str, ...]]:
        """What a search trains without: each target alone, and each with its inner domain (a pair only once)."""
        pairs = {tuple(sorted(pair)) for pair in zip(self.targets, self.inner, strict=True)} if self.inner else set()
        return [(target,) for target in self.targets] + sorted(pairs)

    def trials(self, contender: Contender) -> int:
        """How many settings of a contender are tried: as many of ERM as of the primary family, fewer of longer runs."""
        planned = TRIALS if self.real and contender.primary and contender.passes == 1 else FEW_TRIALS
        return min(planned, self.most_trials)


def _weight(default: float, low: float, high: float) -> dict[str, tuple[float, float, float]]:
    return {"weight": (default, low, high)}


def _to_grey(x: Tensor) -> Tensor:
    return 2 * data_augmentation.to_grey(x) - 1


EQUAL_SECONDS = 3.5  # steps of "ERM, equal seconds" for one of ERM: what the costliest primary method, SimCLR, takes
CONTENDERS = (
    Contender("ERM", "reference", primary=True),
    Contender("ERM, equal seconds", "reference", passes=EQUAL_SECONDS, primary=True),
    Contender("reference: target included", "reference", sees_target=True, primary=True),
    Contender("weight averaging", "averaging", WeightAveraged, primary=True),
    Contender(
        "per-image standardization", "normalization",
        normalize=data_augmentation.standardize_per_image, primary=True,
    ),
    Contender("grey-scale", "normalization", normalize=_to_grey, needs_colour=True),
    Contender(
        "intensity jitter", "augmentation",
        augment=data_augmentation.intensity_jitter, strengths={"strength": (1.0, 0.25, 2.0)}, primary=True,
    ),
    Contender(
        "stain jitter", "augmentation", needs_colour=True,
        augment=data_augmentation.stain_jitter, strengths={"strength": (0.1, 0.03, 0.3)},
    ),
    Contender(
        "RandAugment", "augmentation",
        augment=data_augmentation.rand_augment, strengths={"strength": (1.0, 0.25, 1.0)},
    ),
    Contender("RandConv", "augmentation", data_augmentation.RandConv, _weight(10, 1, 20)),
    Contender("AugMix", "augmentation", data_augmentation.AugMix, _weight(12, 1, 20)),
    Contender("amplitude mix", "augmentation", data_augmentation.AmplitudeMix, {"strength": (1.0, 0.2, 1.0)}),
    Contender("mixup", "augmentation", data_augmentation.Mixup, {"alpha": (0.2, 0.05, 1.0)}, primary=True),
    Contender("MixStyle", "augmentation", data_augmentation.StyleMixing, {"alpha": (0.1, 0.05, 1.0)}, primary=True),
    Contender("CORAL", "alignment of features", feature_alignment.CORAL, _weight(1, 0.1, 10), primary=True),
    Contender("conditional CORAL", "alignment of features", feature_alignment.ConditionalCORAL, _weight(1, 0.1, 10)),
    Contender("MMD", "alignment of features", feature_alignment.MMD, _weight(1, 0.1, 10)),
    Contender("DANN", "alignment of features", feature_alignment.DANN, _weight(1, 0.1, 3), primary=True),
    Contender("CDANN", "alignment of features", feature_alignment.CDANN, _weight(1, 0.1, 3)),
    Contender("IRM", "alignment of risks", feature_alignment.IRM, _weight(100, 1, 1000)),
    Contender("V-REx", "alignment of risks", feature_alignment.VREx, _weight(10, 1, 100), primary=True),
    Contender(
        "group DRO", "alignment of risks", feature_alignment.GroupDRO,
        {"step_size": (0.01, 0.001, 0.1)}, primary=True,
    ),
    Contender("Fishr", "alignment of gradients", feature_alignment.Fishr, _weight(1000, 100, 10000), primary=True),
    Contender("Fish", "alignment of gradients", meta_learning.Fish, {"inner_learning_rate": (0.05, 0.005, 0.2)}),
    Contender(
        "MLDG", "meta-learning", meta_learning.MLDG,
        {"inner_learning_rate": (0.05, 0.005, 0.2), "beta": (1.0, 0.3, 3.0)}, primary=True,
    ),
    Contender(
        "MASF", "meta-learning", meta_learning.MASF,
        {"inner_learning_rate": (0.05, 0.005, 0.2), "beta": (1.0, 0.3, 3.0)},
    ),
    Contender(
        "SimCLR", "self-supervision",
        pretrain=self_supervision.SimCLR, space={"temperature": (0.5, 0.1, 1.0)}, primary=True,
    ),
    Contender("BYOL", "self-supervision", pretrain=self_supervision.BYOL),
    Contender("RotNet", "self-supervision", pretrain=self_supervision.RotNet),
    Contender("masked images", "self-supervision", pretrain=self_supervision.MAE, space={"share": (0.6, 0.3, 0.8)}),
    Contender("JiGen", "self-supervision", self_supervision.JiGen, _weight(0.7, 0.1, 2)),
    Contender(
        "generalized cross-entropy", "noisy labels", concept_shift.GeneralizedCrossEntropy, {"q": (0.7, 0.3, 1.0)}
    ),
    Contender("co-teaching", "noisy labels", concept_shift.CoTeaching, {"forget_rate": (0.2, 0.05, 0.4)}),
)  # fmt: skip
PRIMARY = tuple(contender.name for contender in CONTENDERS if contender.primary)


def contender_of(name: str) -> Contender:
    """The contender of this name. ValueError where none has it (of an earlier version of the entries, say)."""
    return _named(name, CONTENDERS, "method")


def problem_of(name: str) -> Problem:
    """The problem of this name. ValueError where none has it (of an earlier version of the entries, say)."""
    return _named(name, PROBLEMS, "problem")


def _named(name: str, entries: tuple, kind: str) -> Any:
    known = {entry.name: entry for entry in entries}
    if name not in known:
        raise ValueError(f"no {kind} {name!r}: {did_you_mean(name, known) or f'choose from {list(known)}'}")
    return known[name]


def _clinic(name: str, hospitals: tuple[Hospital, ...], balanced: bool = True) -> Problem:
    """A clinic of 4 x 500 new patients for each seed; hospital B is left out for held-out-domain validation."""

    def load_clinic(seed: int) -> DomainDataset:
        return clinic.make_clinic(hospitals, n=500, seed=seed)

    return Problem(name, load_clinic, (NEW_HOSPITAL,), ("hospital B",), steps=500, seeds=20, balanced=balanced)


@lru_cache(maxsize=2)
def published(name: str, targets: tuple[str, ...], **options: int | str) -> DomainDataset:
    """A data set whose images do not depend on a seed, so it is read once a process.

    ValueError where one of the targets is not in it: every run would then have other training domains than the rows of
    the store. Ciudad Real comes only with a word that the use is not commercial, and that word is not the sweep's.
    """
    dataset = load(name, **options)
    if lacking := [target for target in targets if target not in dataset.domain_names]:
        raise ValueError(
            f"{name} came without {', '.join(lacking)}, which the protocol trains on and tests: "
            "for a use that is not commercial (Ciudad Real is CC BY-NC 4.0) set MEDGEN_NONCOMMERCIAL=accept"
        )
    return dataset


def _breast_hospitals(seed: int) -> DomainDataset:
    return published("breast-hospitals", HOSPITALS, size=28, view="lesion")


def _breast_hospitals_64(seed: int) -> DomainDataset:
    return published("breast-hospitals", HOSPITALS, size=64, view="lesion")


@lru_cache(maxsize=2)
def breast_hospitals_frozen() -> DomainDataset:
    """The four sites at 64 px as frozen features, computed once a process."""
    return features_as_images(_breast_hospitals_64(0))


@lru_cache(maxsize=2)
def mitosis_frozen() -> DomainDataset:
    """The six sources at 64 px as frozen features, computed once a process."""
    return features_as_images(published("mitosis", MITOSIS, size=64))


def _breast_scanners(seed: int) -> DomainDataset:
    return published("breast-hospitals", SCANNERS, size=28, view="lesion", domains="scanner")


def _gone(seed: int) -> DomainDataset:
    raise ValueError("breast ultrasound was a problem of protocol 0: its rows can be read and not run again")


def _mitosis(seed: int) -> DomainDataset:
    return published("mitosis", MITOSIS)


# who can act on frozen features: what works on features, risks, gradients or weights, and not on images
ON_FEATURES = (
    "ERM", "ERM, equal seconds", "reference: target included", "weight averaging", "mixup", "CORAL", "DANN", "V-REx",
    "group DRO", "Fishr", "MLDG",
)  # fmt: skip
# inner domains in pairs, so that one run without both serves each of the two as target
HOSPITALS = ("Cairo", "Rio de Janeiro", "Ciudad Real", "Poland")
HOSPITALS_INNER = ("Rio de Janeiro", "Cairo", "Poland", "Ciudad Real")
SCANNERS = tuple(f"Rio de Janeiro: {scanner}" for scanner in ("GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300"))
SCANNERS_INNER = (SCANNERS[1], SCANNERS[0], SCANNERS[0])
MITOSIS = ("MIDOG21-HamamatsuXR", "MIDOG21-HamamatsuS360", "MIDOG21-AperioCS2", "TUPAC16", "TCGA-BRCA", "MIDOG++")
MITOSIS_INNER = ("MIDOG21-HamamatsuS360", "MIDOG21-HamamatsuXR", "TUPAC16", "MIDOG21-AperioCS2", "MIDOG++", "TCGA-BRCA")


def _frozen(
    name: str, features: Callable[[], DomainDataset], targets: tuple[str, ...], steps: int, data: str
) -> Problem:
    """A problem on frozen features of images of 64 pixels: nothing flips, and only `ON_FEATURES` take part."""
    return Problem(
        name, lambda seed: features(), targets, (), steps=steps, seeds=3, augment=None, size=64, data=data,
        elsewhere=FROZEN, methods=ON_FEATURES, budgets=FEW_STEPS,
    )  # fmt: skip


AT_64 = Problem(
    "breast hospitals at 64 px", _breast_hospitals_64, HOSPITALS, (), steps=2000, seeds=1, size=64,
    data="breast-hospitals", methods=PRIMARY, budgets=(500, 1000, 2000, 4000),
)  # fmt: skip
PROBLEMS = (
    _clinic("clinic: acquisition", clinic.acquisition_hospitals()),
    _clinic("clinic: population", clinic.population_hospitals()),
    # a class-balanced batch would take the prior shift out of the training, so here batches are as they come
    _clinic("clinic: prevalence", clinic.prevalence_hospitals((0.9, 0.5, 0.1), 0.5), balanced=False),
    _clinic("clinic: shortcut", clinic.shortcut_hospitals()),
    _clinic("clinic: graders", clinic.grader_hospitals()),
    Problem(
        "mitosis",
        _mitosis,
        MITOSIS,
        MITOSIS_INNER,
        steps=4000,
        seeds=3,
        augment=flips_and_turns,
        colour=True,
        data="mitosis",
    ),
    Problem(
        "breast hospitals", _breast_hospitals, HOSPITALS, HOSPITALS_INNER, steps=1000, seeds=3, data="breast-hospitals"
    ),
    # the same images, a scanner of Rio left out while its hospital's other scanners train: scanner told from hospital
    Problem(
        "breast scanners", _breast_scanners, SCANNERS, SCANNERS_INNER, steps=1000, seeds=3, data="breast-hospitals"
    ),
    # the extension to 64 px and to a network of photographs: each has rows of its own, which no other problem reads
    _frozen("breast hospitals, frozen features", breast_hospitals_frozen, HOSPITALS, 30, "breast-hospitals"),
    _frozen("mitosis, frozen features", mitosis_frozen, MITOSIS, 60, "mitosis"),
    replace(
        AT_64, name="breast hospitals, fine-tuned", steps=250, elsewhere=FINE_TUNED, most_trials=3,
        methods=("ERM", "weight averaging", "intensity jitter", "per-image standardization"),
        budgets=(125, 250, 500, 1000, 2000),
    ),
    AT_64,
)  # fmt: skip

BREAST = ("GE Logiq E9", "GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300")
BREAST_INNER = ("GE Logiq 7", "GE Logiq E9", "Toshiba Aplio 300", "GE Logiq 5")
# Of protocol 0 only: its rows are read, and its data set is gone ("breast-hospitals" holds the same images).
PAST = (Problem("breast ultrasound", _gone, BREAST, BREAST_INNER, 240, 2),)
