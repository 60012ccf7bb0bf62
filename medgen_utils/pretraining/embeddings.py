"""What embeddings know of the hospital and of the disease, from the numbers alone. Chapter: pretraining.

Everywhere z (n, d) are embeddings, y (n,) int class numbers, domain (n,) the hospital of each image, any labels, and
group (n,) the patient or slide, "" where unknown (the image is then a group of its own). Images of one group are never
on both sides of a comparison. Where there are more than ``most`` images a random part of them is used, drawn with
``seed``. ValueError for anything that cannot be judged: NaN, other lengths, one hospital, one class.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from medgen_utils.evaluation.delong import auroc_estimate
from medgen_utils.evaluation.metrics import auroc
from medgen_utils.probes import linear_probe

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MOST = 5_000  # images that a probe learns from
QUERIES = 3_000  # images whose neighbours are looked up, among all: the index is then sure to about .01
FOLDS = 5
STRENGTH = 0.01  # of the penalty's inverse: embeddings have more numbers than there are patients


class Embeddings(NamedTuple):
    """Checked embeddings: z (n, d) float, y (n,) class numbers, domain and group (n,) as numbers, and the names."""

    z: np.ndarray
    y: np.ndarray
    domain: np.ndarray
    group: np.ndarray
    domain_names: tuple[str, ...]

    def part(self, positions: np.ndarray) -> Embeddings:
        """The images at these positions."""
        return Embeddings(*(column[positions] for column in self[:4]), self.domain_names)


def embeddings(z: np.ndarray, y: np.ndarray, domain: np.ndarray, group: np.ndarray | None = None) -> Embeddings:
    """Check what a study brings and number its hospitals and patients; see the module for shapes and errors."""
    z, y, domain = np.asarray(z), np.asarray(y), np.asarray(domain).astype(str)
    group = np.full(len(z), "") if group is None else np.asarray(group).astype(str)
    if z.ndim != 2 or z.shape[1] < 1 or not len(z) == len(y) == len(domain) == len(group):
        raise ValueError(
            f"embeddings {z.shape}, labels {y.shape}, domains {domain.shape}, groups {group.shape}: "
            "give (n, d) and n of each"
        )
    if z.dtype.kind != "f":
        raise ValueError(f"embeddings are {z.dtype}: give floating-point numbers")
    bad = np.flatnonzero(~np.isfinite(z).all(1))
    if len(bad):
        raise ValueError(
            f"{len(bad)} embeddings hold NaN or infinite numbers, the first in row {bad[0]}: drop or mend them"
        )
    if y.dtype.kind not in "iu" or y.min(initial=0) < 0:
        raise ValueError(f"labels are {y.dtype}, the first {y[:3].tolist()}: give class numbers 0, 1, ...")
    names, number = np.unique(domain, return_inverse=True)
    if len(names) < 2 or len(np.unique(y)) < 2:
        raise ValueError(
            f"hospitals {names.tolist()}, classes {np.unique(y).tolist()}: at least two of each are needed"
        )
    alone = np.char.add("image ", np.arange(len(z)).astype(str))
    named = np.char.add(np.char.add(domain, "/"), group)
    _, patient = np.unique(np.where(group == "", alone, named), return_inverse=True)
    z = z.astype(np.float32) if z.dtype == np.float16 else z
    return Embeddings(z, y.astype(np.int64), number, patient, tuple(names.tolist()))


class Robustness(NamedTuple):
    """The robustness index at its k: value in [0, 1], k, support (share of images it rests on), and what picked k."""

    value: float
    k: int
    support: float
    balanced_accuracy: float


def robustness_index(
    data: Embeddings, candidates: Sequence[int] = (1, 3, 5, 7, 11, 15, 21, 31, 51), most: int = QUERIES, seed: int = 0
) -> Robustness:
    """Are an image's neighbours of its class from OTHER hospitals, or of another class from ITS hospital?

    Of the k nearest neighbours (cosine, other patients) of every image, SO counts those of the same class and another
    hospital, OS those of another class and the same hospital; the index is SO / (SO + OS), all images together, .5
    where neither occurs. k is the candidate with which the neighbours' majority names the class best (balanced
    accuracy, the first of equals). 1: only the class counts; 0: only the hospital. It depends on the shares of classes
    and hospitals, and a network that knows NEITHER class nor hospital is rewarded: read it beside its two controls,
    `permuted_labels` and random embeddings, and never across data sets. Source: Kömen et al. 2026 (PathoROB).
    """
    kmax = max(candidates)
    if min(candidates) < 1:
        raise ValueError(f"candidates={tuple(candidates)}: numbers of neighbours are 1 or more")
    queries = np.arange(len(data.z)) if len(data.z) <= most else _draw(len(data.z), most, seed)
    neighbours = _neighbours(data, queries, kmax)
    found = neighbours >= 0
    same_class = (data.y[neighbours] == data.y[queries, None]) & found
    same_hospital = (data.domain[neighbours] == data.domain[queries, None]) & found
    said = np.eye(data.y.max() + 1, dtype=bool)[data.y[neighbours]] & found[:, :, None]  # the class of each neighbour
    best: Robustness | None = None
    for k in candidates:
        so = (same_class & ~same_hospital)[:, :k]
        os = (~same_class & same_hospital)[:, :k]
        votes = said[:, :k].sum(1)
        asked = votes.sum(1) > 0
        right = votes.argmax(1)[asked] == data.y[queries][asked]
        recalls = [right[data.y[queries][asked] == label].mean() for label in np.unique(data.y[queries][asked])]
        total = int(so.sum() + os.sum())
        value = float(so.sum() / total) if total else 0.5
        support = float((so | os).any(1).mean())
        if best is None or np.mean(recalls) > best.balanced_accuracy:
            best = Robustness(value, k, support, float(np.mean(recalls)))
    return best


def _neighbours(data: Embeddings, queries: np.ndarray, k: int, portion: int = 256) -> np.ndarray:
    """Positions (m, k) of the k most similar images of other groups, nearest first; -1 where there are fewer."""
    unit = F.normalize(torch.from_numpy(data.z), dim=1)
    group = torch.from_numpy(data.group)
    result = np.full((len(queries), k), -1)
    for start in range(0, len(queries), portion):
        rows = torch.from_numpy(queries[start : start + portion])
        similarity = unit[rows] @ unit.T
        similarity[group[rows, None] == group] = -torch.inf
        values, top = similarity.topk(min(k, len(unit)), dim=1)
        result[start : start + portion, : top.shape[1]] = torch.where(values.isfinite(), top, -1)
    return result


def permuted_labels(data: Embeddings, seed: int) -> Embeddings:
    """The control without any class: labels shuffled over patients within each hospital, embeddings as they are.

    Every image of a patient gets the label of another patient's first image, so that classes keep about their shares.
    """
    rng = np.random.default_rng(seed)
    y = data.y.copy()
    for hospital in np.unique(data.domain):
        inside = np.flatnonzero(data.domain == hospital)
        _, first, patient = np.unique(data.group[inside], return_index=True, return_inverse=True)
        labels = data.y[inside][first]
        y[inside] = rng.permutation(labels)[patient]
    return data._replace(y=y)


def random_embeddings(data: Embeddings, seed: int) -> Embeddings:
    """The control that knows nothing: standard normal numbers in the place of the embeddings."""
    shape = (len(data.z), data.z.shape[1])
    return data._replace(z=np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


class Probe(NamedTuple):
    """Held-out score of a linear probe: value in [0, 1], chance, and how many images and groups it was tested on."""

    value: float
    chance: float
    images: int
    groups: int


def hospital_probe(data: Embeddings, most: int = MOST, seed: int = 0) -> Probe:
    """How well a linear classifier reads the hospital from the embeddings: balanced accuracy in held-out patients.

    Logistic regression on standardised embeddings, five folds with whole patients. chance: 1 / hospitals. High does not
    mean that a classifier of the disease uses the hospital; low means that it cannot.
    """
    data = _some(data, most, seed)
    predicted = _held_out(data, data.domain, seed).argmax(1)
    recalls = [np.mean(predicted[data.domain == number] == number) for number in np.unique(data.domain)]
    return Probe(float(np.mean(recalls)), 1 / len(recalls), len(data.z), len(np.unique(data.group)))


def class_probe(data: Embeddings, most: int = MOST, seed: int = 0) -> pd.DataFrame:
    """AUROC of a linear probe learned in one hospital and tested in another: learned, tested, auroc, low, high, images.

    At home (learned = tested) five folds with whole patients. low and high: 95 % interval for other patients of the
    tested hospital (`evaluation.delong`). A hospital with one class or one patient only is left out, named in
    ``frame.attrs["left_out"]``. More than two classes: the mean of one against the rest over the classes of both.
    """
    data = _some(data, most, seed)
    rows, left_out = [], []
    for number, name in enumerate(data.domain_names):
        home = data.part(np.flatnonzero(data.domain == number))
        if len(np.unique(home.y)) < 2 or len(np.unique(home.group)) < 2:
            left_out.append(name)
            continue
        probe = _probe(home.z, home.y)
        for other, other_name in enumerate(data.domain_names):
            away = data.part(np.flatnonzero((data.domain == other) & np.isin(data.y, probe[-1].classes_)))
            if len(np.unique(away.y)) < 2 or len(np.unique(away.group)) < 2:
                continue
            score = np.zeros((len(away.y), data.y.max() + 1))
            if other == number:
                score[:, : home.y.max() + 1] = _held_out(home, home.y, seed)
            else:
                score[:, probe[-1].classes_] = probe.predict_proba(away.z)
            found = auroc_estimate(away.y, [score], np.unique(away.group, return_inverse=True)[1])
            rows.append([name, other_name, *found.interval(), len(away.y)])
    frame = pd.DataFrame(rows, columns=["learned", "tested", "auroc", "low", "high", "images"])
    frame.attrs["left_out"] = left_out
    return frame


def confounded_training(
    data: Embeddings,
    strengths: Sequence[float] = (0.0, 0.5, 0.8, 1.0),
    repeats: int = 10,
    most: int = MOST,
    seed: int = 0,
) -> pd.DataFrame:
    """What happens to a probe whose training set ties the class to the hospital: columns pair, strength, auroc, size.

    For every pair of hospitals that both hold classes 0 and 1: half of the patients are a balanced test set (as many of
    each class from each hospital); from the others a training set is drawn in which the share (1 + strength) / 2 of
    class 1 comes from the first hospital, and of class 0 from the second; its size is the same at every strength.
    0: no tie; 1: class and hospital are one. auroc: mean over ``repeats`` draws. A frame without rows where no pair has
    8 images of each class. The idea: average performance drop of Kömen et al. 2026.
    """
    data, rows = _some(data, most, seed), []
    for a, b in itertools.combinations(range(len(data.domain_names)), 2):
        cells = [np.flatnonzero((data.domain == d) & (data.y == label)) for d in (a, b) for label in (0, 1)]
        smallest = min(map(len, cells))
        if smallest < 8:
            continue
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, a, b, repeat])
            held = rng.random(data.group.max() + 1) < 0.5
            test = [rng.permutation(cell[held[data.group[cell]]]) for cell in cells]
            pool = [rng.permutation(cell[~held[data.group[cell]]]) for cell in cells]
            n_test, n = min(map(len, test)), min(map(len, pool))
            if n_test < 2 or n < 2:
                continue
            tested = np.concatenate([cell[:n_test] for cell in test])
            for strength in strengths:
                more = round(n * (1 + strength) / 2)
                sizes = (n - more, more, more, n - more)  # of (a, 0), (a, 1), (b, 0), (b, 1)
                chosen = np.concatenate([cell[:size] for cell, size in zip(pool, sizes, strict=True)])
                score = _probe(data.z[chosen], data.y[chosen]).predict_proba(data.z[tested])[:, 1]
                pair = f"{data.domain_names[a]} and {data.domain_names[b]}"
                rows.append([pair, strength, auroc(data.y[tested], score), len(chosen)])
    frame = pd.DataFrame(rows, columns=["pair", "strength", "auroc", "size"])
    return frame.groupby(["pair", "strength"], as_index=False, sort=False).mean()


def _probe(z: np.ndarray, y: np.ndarray) -> Pipeline:
    return linear_probe(z, y, STRENGTH, balanced=True)


def _held_out(data: Embeddings, y: np.ndarray, seed: int) -> np.ndarray:
    """Scores (n, classes) of each image by a probe that saw none of its group; 0 for a class it did not meet."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(FOLDS, len(np.unique(data.group)))
    if folds < 2:
        raise ValueError("all images belong to one patient: nothing can be held out")
    scores = np.zeros((len(y), y.max() + 1))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a class with fewer images than folds: some folds lack it
        parts = list(splitter.split(data.z, y, data.group))
    for train, test in parts:
        if len(np.unique(y[train])) < 2:
            scores[np.ix_(test, np.unique(y[train]))] = 1
            continue
        probe = _probe(data.z[train], y[train])
        scores[np.ix_(test, probe[-1].classes_)] = probe.predict_proba(data.z[test])
    return scores


def _some(data: Embeddings, most: int, seed: int) -> Embeddings:
    return data if len(data.z) <= most else data.part(_draw(len(data.z), most, seed))


def _draw(n: int, most: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
