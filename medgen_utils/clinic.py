"""The synthetic clinic: lesion images from hospitals whose every difference is a named parameter.

A benign lesion has a smooth contour, a malignant one an irregular contour; nothing else in the tissue tells them apart.
Hospitals differ in how they acquire images, whom they treat, how often they see cancer, what they stick beside the
lesion and how their graders err. Because we write the cause, we know it. Chapters: domain_shift, and every chapter
that shows an idea where its truth is known.

The presets at the end are constructed demonstrations: their settings were found by looking at the scores of the unseen
hospital. They show that a mechanism exists, not how often or how strongly it acts in real hospitals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.fft
import torch
from torch import Tensor

from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.hospital import Hospital, describe

NEW_HOSPITAL = "new hospital"  # the name of the unseen hospital in every preset
LARGE_LESION = 0.22  # mean radius, as a share of the image width, above which a biased grader says "malignant"

_MODES = np.arange(2, 11)  # waves around the contour: the first two give its shape, the others its irregularity
_BENIGN_ROUGHNESS = 0.05
_CHUNK = 256  # images rendered together: small enough for the processor's cache


@dataclass(frozen=True)
class Clinic(DomainDataset):
    """A DomainDataset that also knows its truth; ``subset``, ``only`` and ``without`` keep all of it in step.

    y is the label a grader recorded (what a model is trained on); true_y (N,) int64 the tissue's own; marker (N,) int64
    is 1 where the image carries one; nuisance is a frame of N rows: radius, center_x, center_y (shares of the image
    width), elongation and irregularity (shares of the radius). Chapter: domain_shift.
    """

    true_y: Tensor
    marker: Tensor
    nuisance: pd.DataFrame

    def subset(self, index: np.ndarray | Tensor) -> Clinic:
        index = self.positions(index)
        picked = super().subset(index)
        nuisance = self.nuisance.iloc[index.numpy()].reset_index(drop=True)
        return replace(picked, true_y=self.true_y[index], marker=self.marker[index], nuisance=nuisance)

    def with_true_labels(self, *names: str) -> Clinic:
        """The same images with the tissue's own labels in place of the graders', at these hospitals (none named: all).

        To judge a model by the truth where it was trained on what graders wrote. KeyError for an unknown hospital.
        """
        if unknown := set(names) - set(self.domain_names):
            raise KeyError(f"no hospitals {sorted(unknown)}: choose from {self.domain_names}")
        numbers = torch.tensor([self.domain_names.index(name) for name in names or self.domain_names])
        return replace(self, y=torch.where(torch.isin(self.domain, numbers), self.true_y, self.y))

    def painted_over(self) -> Clinic:
        """The same images with the place of the marker painted grey on all of them: what one does who knows of it."""
        x = self.x.clone()
        x[:, :, *marker_box(x.shape[-1])] = 0.5
        return replace(self, x=x)

    def by_label_and_marker(self, *kept: str) -> Clinic:
        """The same images, but at all hospitals except ``kept`` the domain says label and marker, not where.

        The groups of group DRO where somebody knows the marker; "benign, marker" is one. KeyError for an unknown name.
        """
        if unknown := set(kept) - set(self.domain_names):
            raise KeyError(f"no hospitals {sorted(unknown)}: choose from {self.domain_names}")
        groups = ("benign", "malignant", "benign, marker", "malignant, marker")
        domain = 2 * self.marker + self.y
        for place, name in enumerate(kept, start=len(groups)):
            domain[self.domain == self.domain_names.index(name)] = place
        names = (*groups, *kept)
        return replace(self, domain=domain, domain_names=names, domains=None)


def make_clinic(
    hospitals: Sequence[Hospital],
    n: int,
    seed: int,
    size: int = 28,
    channels: int = 1,
    same_patients: bool = False,
    streams: Callable[[int, int], Sequence[np.random.Generator]] | None = None,
) -> Clinic:
    """n images of ``size`` x ``size`` from each hospital -> Clinic of len(hospitals) * n images, float32 in [0, 1].

    A hospital draws from (seed, its position in the list), in separate streams for patients, tissue, records and noise.
    So the same seed gives the same bytes, a hospital added at the end leaves the others as they are, a larger n keeps
    the first images, and the same hospital with another parameter sees the SAME patients: a difference between two
    images has one cause. With ``same_patients`` every hospital draws as if it were the first: image i of each shows the
    same lesion (same patient in ``group``) through another scanner. Another ``size`` keeps lesions, with new tissue.
    ``streams(seed, position)`` gives the four another source of random numbers (`draws.streams`: that of a web page).
    size >= 16; channels 1 (ultrasound-like) or 3 (dermoscopy-like). ValueError for anything else, for n < 1, a negative
    seed, no hospitals or two of one name. Chapter: domain_shift.
    """
    names = [hospital.name for hospital in hospitals]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"hospitals are named {names}: give at least one, each with a name of its own")
    if n < 1 or seed < 0:
        raise ValueError(f"n={n}, seed={seed}: ask for at least one image a hospital, with a seed of 0 or more")
    if size < 16 or channels not in (1, 3):
        raise ValueError(f"size={size}, channels={channels}: choose a size of 16 or more pixels, and 1 or 3 channels")
    x = np.empty((len(names), n, channels, size, size), np.float32)
    true_y, y, marker = (np.empty((len(names), n), np.int64) for _ in range(3))
    nuisances, groups = [], []
    for position, hospital in enumerate(hospitals):
        source = 0 if same_patients else position
        patients, tissue, records, scanner = (streams or _generators)(seed, source)
        latent = patients.standard_normal((n, 7 + 2 * len(_MODES)), np.float32)
        chance = records.random((n, 4))
        true_y[position] = chance[:, 0] < hospital.prevalence
        contour = _contours(latent, true_y[position], hospital)
        called = (contour["radius"] > LARGE_LESION) & (chance[:, 1] < hospital.large_called_malignant)
        y[position] = (true_y[position] | called) ^ (chance[:, 2] < hospital.label_flips)
        share = np.where(y[position] == 1, hospital.marker_if_malignant, hospital.marker_if_benign)
        marker[position] = chance[:, 3] < share
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk = {name: value[part] for name, value in contour.items()}
            x[position, part] = acquire(_tissue(chunk, hospital, size, tissue), hospital, scanner, channels)
        rows, columns = marker_box(size)
        color = np.array([0.15, 0.35, 0.95] if channels == 3 else [1.0], np.float32)[:, None, None]
        x[position, marker[position] == 1, :, rows, columns] = color
        nuisances.append(pd.DataFrame({name: value for name, value in contour.items() if value.ndim == 1}))
        groups.append([f"patient-{source}-{index:05d}" for index in range(n)])
    return Clinic(
        x=torch.from_numpy(x).flatten(0, 1),
        y=torch.from_numpy(y).flatten(),
        domain=torch.arange(len(names)).repeat_interleave(n),
        group=np.concatenate(groups),
        class_names=("benign", "malignant"),
        domain_names=tuple(names),
        info=INFO,
        domains=describe(hospitals, same_patients),
        true_y=torch.from_numpy(true_y).flatten(),
        marker=torch.from_numpy(marker).flatten(),
        nuisance=pd.concat(nuisances, ignore_index=True),
    )


def _generators(seed: int, source: int) -> tuple[np.random.Generator, ...]:
    return tuple(np.random.default_rng(stream) for stream in np.random.SeedSequence((seed, source)).spawn(4))


def marker_box(size: int = 28) -> tuple[slice, slice]:
    """Rows and columns of the marker: 3x3 pixels at 28, scaled with ``size``; use it to mask. Chapter: domain_shift."""
    place = slice(round(size * 2 / 28), round(size * 5 / 28))
    return place, place


def acquire(tissue: np.ndarray, hospital: Hospital, random: np.random.Generator, channels: int = 1) -> np.ndarray:
    """What the hospital's scanner makes of tissue (n, H, W) in [0, 1] -> images (n, channels, H, W) in [0, 1].

    In order: polarity, stain (colour only), blur, contrast, gamma, gain, noise (drawn from ``random``), clipping. With
    the neutral values listed at ``Hospital`` it returns the tissue as it is. Chapters: domain_shift, data_augmentation.
    """
    image = (tissue if hospital.polarity == 1 else 1 - tissue)[:, None]
    if channels == 3:
        image = np.maximum(image, 1e-3) ** np.array(hospital.stain, np.float32)[:, None, None]
    if hospital.blur > 0:
        image = _filter(image, _gaussian(image.shape[-1], hospital.blur, hospital.blur))
    if hospital.contrast != 1:
        image = (image - 0.5) * np.float32(hospital.contrast) + 0.5
    if hospital.gamma != 1:
        image = np.clip(image, 0, 1) ** np.float32(hospital.gamma)
    image = image * np.float32(hospital.gain)
    image += np.float32(hospital.noise) * random.standard_normal(image.shape, np.float32)
    return np.clip(image, 0, 1, out=image)


def _contours(latent: np.ndarray, malignant: np.ndarray, hospital: Hospital) -> dict[str, np.ndarray]:
    """Standard normal draws (n, 7 + 2 modes) and classes (n,) -> the geometry of every lesion, an entry a quantity."""
    waves = latent[:, 7:].reshape(-1, 2, len(_MODES))
    waves = (waves[:, 0] + 1j * waves[:, 1]).astype(np.complex64)
    waves[:, :2] *= np.array([0.10, 0.04], np.float32)
    irregularity = np.hypot(_BENIGN_ROUGHNESS, hospital.irregularity * malignant) * np.exp(0.2 * latent[:, 3])
    rough = waves[:, 2:] / np.sqrt(_MODES[2:] - 2, dtype=np.float32)
    waves[:, 2:] = rough * (irregularity[:, None] / np.sqrt(2 * (np.abs(rough) ** 2).sum(1, keepdims=True)))
    return {
        "radius": hospital.lesion_size * np.exp(hospital.size_spread * latent[:, 0]),
        "center_x": 0.5 + 0.06 * latent[:, 1],
        "center_y": 0.5 + 0.06 * latent[:, 2],
        "elongation": np.abs(waves[:, 0]),
        "irregularity": irregularity.astype(np.float32),
        "shading": latent[:, 4:7],
        "waves": waves,
    }


def _tissue(lesion: dict[str, np.ndarray], hospital: Hospital, size: int, random: np.random.Generator) -> np.ndarray:
    """Lesions in textured tissue (n, size, size), in [0, 1]: what a perfect scanner would see."""
    place = (np.arange(size, dtype=np.float32) + 0.5) / size
    right = place[None, None, :] - lesion["center_x"][:, None, None]
    down = place[None, :, None] - lesion["center_y"][:, None, None]
    distance = np.sqrt(right**2 + down**2) + np.float32(1e-6)
    direction = (right + 1j * down) / distance  # its k-th power has the angle k times as large
    series = np.zeros_like(direction)
    for wave in lesion["waves"].T[::-1]:
        series = (series + wave[:, None, None]) * direction
    deviation = (series * direction).real
    edge = lesion["radius"][:, None, None] * np.maximum(1 + deviation, 0.25)
    grain = random.standard_normal(distance.shape, np.float32)
    grain = _filter(grain, _grain_transfer(size, hospital.texture_length))
    depth = (edge - distance) * 28 + np.float32(0.25) * grain  # px at 28; the grain frays the edge a little
    inside = np.clip(0.5 + depth / 2, 0, 1) * (0.85 + 0.05 * np.clip(depth, 0, 4))
    slope = lesion["shading"][:, :, None, None] * np.float32(0.05)
    tissue = 0.66 + slope[:, 0] * (place - 0.5) + (slope[:, 1] - 0.14) * (place[:, None] - 0.5)
    contrast = np.float32(hospital.lesion_contrast) * (1 + 2 * slope[:, 2])
    tissue = (tissue - contrast * inside) * (1 + np.float32(0.15) * grain)
    return np.clip(tissue, 0, 1)


def _gaussian(size: int, vertical: float, horizontal: float) -> np.ndarray:
    """Transfer function (size, size // 2 + 1) of a Gaussian blur with these standard deviations in px at 28."""
    scale = np.pi * size / 28
    y, x = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)
    return np.exp(-2 * scale**2 * ((vertical * y) ** 2 + (horizontal * x) ** 2)).astype(np.float32)


def _grain_transfer(size: int, length: float) -> np.ndarray:
    """Transfer function that turns white noise into tissue of unit variance: fine speckle, grain, broad layers."""
    parts = [(0.30, 0.35, 0.45), (0.50, 0.8, 1.1), (0.20, 2.0, 5.0)]
    spectrum = 0
    for share, vertical, horizontal in parts:
        power = _gaussian(size, vertical * length, horizontal * length) ** 2
        both_halves = power.sum() + power[:, 1 : (size + 1) // 2].sum()  # rfft2 keeps half of the plane
        spectrum = spectrum + share * power * size**2 / both_halves
    return np.sqrt(spectrum)


def _filter(image: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Multiply the spectrum of (..., size, size) by ``transfer``; the image wraps around at its border."""
    return scipy.fft.irfft2(scipy.fft.rfft2(image) * transfer, s=image.shape[-2:])


INFO = DatasetInfo(
    name="clinic",
    title="The synthetic clinic",
    source="generated on your machine by medgen_utils.clinic.make_clinic",
    licence="images CC0, code MIT",
    citation="this book",
    warnings=(
        "Drawn, not photographed: it shows that a mechanism exists, not how often or strongly it acts in hospitals.",
        "The presets are constructed demonstrations, chosen by looking at the scores of the unseen hospital.",
    ),
)


def default_clinic(size: int = 28) -> Clinic:
    """What ``data.load("clinic")`` gives: ``acquisition_hospitals()``, 600 images each, seed 0, grey."""
    return make_clinic(acquisition_hospitals(), n=600, seed=0, size=size)


def _sources(number: int) -> tuple[Hospital, ...]:
    """2 to 6 hospitals with mildly different scanners; fewer are the first of the six."""
    gamma, gain = (0.9, 1.1, 1.0, 0.95, 1.05, 1.0), (0.95, 1.05, 1.0, 1.03, 0.97, 1.05)
    length = (1.2, 1.8, 1.5, 1.7, 1.3, 1.4)
    if not 2 <= number <= 6:
        raise ValueError(f"{number} source hospitals: choose 2 to 6")
    return tuple(
        Hospital(f"hospital {'ABCDEF'[k]}", gamma=gamma[k], gain=gain[k], texture_length=length[k])
        for k in range(number)
    )


def acquisition_hospitals(sources: int = 3, unseen_gain: float = 0.30) -> tuple[Hospital, ...]:
    """2 to 6 sources with mildly different scanners, then an unseen hospital whose images are much darker.

    Shows: a difference the sources never had; augmentation and standardization can repair it, alignment cannot.
    Sources: gamma 0.9 to 1.1, gain 0.95 to 1.05, texture length 1.2 to 1.8. ValueError for another number of them.
    Constructed demonstration. Chapters: domain_shift, data_augmentation, feature_alignment, meta_learning.
    """
    return (*_sources(sources), Hospital(NEW_HOSPITAL, gain=unseen_gain))


def spread_hospitals(sources: int = 3, unseen_gain: float = 0.3) -> tuple[Hospital, ...]:
    """2 to 6 sources whose gains fall in equal ratios from 1 to 0.55, then a darker unseen hospital.

    Shows: sources that differ among themselves in the direction in which the unseen one differs from them, so that
    rehearsal has something to rehearse. ValueError for another number. Constructed. Chapter: meta_learning.
    """
    if not 2 <= sources <= 6:
        raise ValueError(f"{sources} source hospitals: choose 2 to 6")
    gains = np.geomspace(1.0, 0.55, sources)
    return (
        *(Hospital(f"hospital {'ABCDEF'[k]}", gain=float(gain)) for k, gain in enumerate(gains)),
        Hospital(NEW_HOSPITAL, gain=unseen_gain),
    )


def population_hospitals(unseen_size: float = 0.12) -> tuple[Hospital, ...]:
    """Three sources with lesions of the usual size, then a screening hospital that finds them small.

    Shows: the same scanner and graders, other patients. Constructed demonstration. Chapter: domain_shift.
    """
    return (*_sources(3), Hospital(NEW_HOSPITAL, lesion_size=unseen_size))


def prevalence_hospitals(
    sources: Sequence[float] = (0.3, 0.5, 0.7), unseen: float = 0.1, irregularity: float = 0.25
) -> tuple[Hospital, ...]:
    """2 to 6 sources of these prevalences, then an unseen one: prior shift, which moves calibration and not AUROC.

    ``sources=(0.9, 0.1), unseen=0.5`` is the case in which aligning hospitals aligns the classes away (DANN) unless
    batches are class-balanced, the more so the less ``irregularity`` tells the classes apart.
    Constructed demonstration. Chapters: domain_shift, feature_alignment.
    """
    hospitals = zip((*_sources(len(sources)), Hospital(NEW_HOSPITAL)), (*sources, unseen), strict=True)
    return tuple(replace(hospital, prevalence=p, irregularity=irregularity) for hospital, p in hospitals)


def shortcut_hospitals(
    agreements: Sequence[float] = (0.95, 0.75, 0.55), unseen: float = 0.10, label_flips: float = 0.2
) -> tuple[Hospital, ...]:
    """2 to 6 sources whose marker agrees with the recorded label this often (0 to 1), then one where it disagrees.

    Shows: a cue that pays at every source and misleads at the unseen hospital. Random label flips make the marker pay
    more than the lesion. Constructed demonstration. Chapters: domain_shift, feature_alignment.
    """
    hospitals = (*_sources(len(agreements)), Hospital(NEW_HOSPITAL))
    return tuple(
        replace(hospital, marker_if_benign=1 - share, marker_if_malignant=share, label_flips=label_flips)
        for hospital, share in zip(hospitals, (*agreements, unseen), strict=True)
    )


def grader_hospitals(large_called_malignant: float = 0.9, label_flips: float = 0.0) -> tuple[Hospital, ...]:
    """Three sources whose graders share these errors, then an unseen hospital whose labels are the truth.

    Shows: a shared bias is learned and no method can tell it from the truth; random flips (0.0 and 0.3, say) leave the
    model good on true labels while scores on recorded ones say it is bad. Constructed. Chapter: concept_shift.
    """
    errors = {"large_called_malignant": large_called_malignant, "label_flips": label_flips}
    return (*(replace(hospital, **errors) for hospital in _sources(3)), Hospital(NEW_HOSPITAL))


def careless_hospitals(label_flips: float = 0.4, irregularity: float = 0.15) -> tuple[Hospital, ...]:
    """Three sources, at the last of which this share of labels is recorded wrongly; an ordinary new hospital.

    Shows: where one source is harder than the others, methods that ask for equal or small largest risks follow its
    labels (V-REx, group DRO). Constructed demonstration. Chapter: feature_alignment.
    """
    hospitals = (*_sources(3), Hospital(NEW_HOSPITAL))
    first, second, third, new = (replace(hospital, irregularity=irregularity) for hospital in hospitals)
    return first, second, replace(third, label_flips=label_flips), new


def habit_hospitals(irregularity: float = 0.15, marked: bool = True) -> tuple[Hospital, ...]:
    """Hospital A, which sees most cancers, marks its images by habit; B and C (same scanner) do not (Zech et al. 2018).

    Within a hospital the marker says nothing about the label. Over the pooled sources it does: it says where, and where
    says how likely; so internal AUROC rises and AUROC at the new hospital (marker at random) does not. The lesion is
    hard, or the habit would not matter; train with batches NOT balanced over hospitals and classes. ``marked`` False:
    the same patients, no marker. Constructed demonstration. Chapters: domain_shift, feature_alignment.
    """
    settings = (
        ("hospital A", 0.85, 1.0),
        ("hospital B", 0.15, 0.0),
        ("hospital C", 0.15, 0.0),
        (NEW_HOSPITAL, 0.5, 0.5),
    )
    return tuple(
        Hospital(
            name, irregularity=irregularity, prevalence=p,
            marker_if_benign=marked * share, marker_if_malignant=marked * share,
        )
        for name, p, share in settings
    )  # fmt: skip


def scanner_gallery() -> tuple[Hospital, ...]:
    """A hospital for each way a scanner can differ; for figures, with ``same_patients``. Chapter: domain_shift."""
    return (
        Hospital("reference"),
        Hospital("low gain", gain=0.3),
        Hospital("high gamma", gamma=2.0),
        Hospital("low contrast", contrast=0.4),
        Hospital("blur", blur=1.5),
        Hospital("noise", noise=0.12),
        Hospital("fine texture", texture_length=0.6),
        Hospital("coarse texture", texture_length=3.5),
        Hospital("other stain", stain=(0.75, 1.1, 0.35)),
        Hospital("inverted", polarity=-1),
    )
