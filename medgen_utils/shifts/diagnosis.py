"""Make a prior shift, correct for it, and tell which kind of shift the evidence points to. Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation.intervals import holm
from medgen_utils.machine import device_of
from medgen_utils.shifts.detection import (
    ShiftTest,
    black_box_shift_detection,
    mmd_two_sample_test,
    predicted_label_test,
)
from medgen_utils.training import ERM, extract_features


def resample_prevalence(dataset: DomainDataset, prevalence: float | Sequence[float], seed: int) -> DomainDataset:
    """The largest part of the data set in which the classes have the given shares: a pure prior shift.

    ``prevalence``: the share of class 1 of two classes, or the shares of all classes (k,), summing to 1. Images are
    drawn without replacement, so p(x | y) stays; they keep their order. Where several domains are in the data set the
    shares hold over all of them: pass one domain (``dataset.only(...)``) to change one hospital.
    ValueError where the shares do not fit or a wanted class has no image. Chapter: domain_shift.
    """
    k = len(dataset.class_names)
    shares = np.array([1 - prevalence, prevalence]) if np.isscalar(prevalence) else np.asarray(prevalence, float)
    if shares.shape != (k,) or (shares < 0).any() or not np.isclose(shares.sum(), 1):
        raise ValueError(f"prevalence={prevalence}: give shares of the {k} classes {dataset.class_names} that sum to 1")
    y = dataset.y.numpy()
    counts = np.bincount(y, minlength=k)
    if (counts[shares > 0] == 0).any():
        raise ValueError(
            f"prevalence={prevalence}: counts by class are {counts.tolist()}, so a wanted class is missing"
        )
    return dataset.subset(_positions_with_shares(y, shares, np.random.default_rng(seed)))


def one_per_group(dataset: DomainDataset, seed: int) -> DomainDataset:
    """One image of each patient or slide, drawn at random; images without a group ("") are all kept.

    Every test here takes its images as independent draws; images of one patient are not, and a test that is given them
    all alarms too often. Chapter: domain_shift.
    """
    order = np.random.default_rng(seed).permutation(len(dataset))
    names = np.where(dataset.group == "", [f"alone-{i}" for i in range(len(dataset))], dataset.group)
    keys = np.char.add(np.char.add(dataset.domain.numpy().astype(str), "/"), names.astype(str))
    _, first = np.unique(keys[order], return_index=True)
    return dataset.subset(np.sort(order[first]))


def prior_correction(prob: np.ndarray, source: Sequence[float], target: Sequence[float]) -> np.ndarray:
    """Probabilities for a place where the classes have other frequencies: p_t(y | x) ~ p_s(y | x) p_t(y) / p_s(y).

    prob (n, k), rows summing to 1; source and target (k,): the class shares the probabilities were made for (those of
    the training batches: equal shares if they were balanced) and those of the new place. -> (n, k), rows sum to 1.
    Exact where only the prior differs. A row that is sure of a class the target lacks has nothing left there: the other
    classes are taken as equally likely before. ValueError where a source share is not positive, a target share negative
    or all of them 0, where shapes differ, and where a probability is NaN.
    Source: Saerens, Latinne & Decaestecker 2002. Chapter: domain_shift.
    """
    prob, source, target = (np.asarray(values, float) for values in (prob, source, target))
    if source.shape != (prob.shape[1],) or target.shape != source.shape:
        raise ValueError(f"source {source}, target {target}: give one share for each of {prob.shape[1]} classes")
    if (source <= 0).any() or (target < 0).any():
        raise ValueError(f"source {source}, target {target}: shares must be positive in the source, not negative after")
    if target.sum() <= 0 or np.isnan(target).any() or np.isnan(prob).any():
        raise ValueError(f"target {target}, {int(np.isnan(prob).sum())} probabilities NaN: give shares, repair images")
    odds = prob * (target / source)
    lost = ~odds.any(axis=1)
    odds[lost] = target / source
    return odds / odds.sum(axis=1, keepdims=True)


class LabelShift(NamedTuple):
    """Estimated class shares in the target (k,), the ends of their intervals (k,), and the weights p_t(y) / p_s(y)."""

    prevalence: np.ndarray
    low: np.ndarray
    high: np.ndarray
    weights: np.ndarray


def estimate_label_shift(
    source_y: np.ndarray,
    source_predicted: np.ndarray,
    target_predicted: np.ndarray,
    seed: int,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> LabelShift:
    """Class shares of an unlabelled target from a classifier's predicted classes, by inverting its confusion matrix.

    source_y, source_predicted (n,): labels and predictions of source images the classifier was NOT trained on;
    target_predicted (m,): predictions in the target. C[i, j] = p_s(predicted i, label j) and
    mu[i] = p_t(predicted i) give w = C^-1 mu, prevalence = w * p_s(y), cut to [0, 1] and made to sum to 1.
    Interval: percentile bootstrap of both samples (both ends are cut to [0, 1]). Right under a pure prior shift only.
    ValueError where the predictions do not depend on the label (C has no inverse). Source: Lipton, Wang & Smola 2018
    (black-box shift estimation). Chapter: domain_shift.
    """
    k = int(max(source_y.max(), source_predicted.max(), target_predicted.max())) + 1
    if k < 2:
        raise ValueError("only one class occurs: the share of a class needs two of them")
    joint = np.bincount(source_predicted * k + source_y, minlength=k * k).reshape(k, k)
    counts = np.bincount(target_predicted, minlength=k)
    if np.linalg.cond(joint / joint.sum()) > 1e6:
        raise ValueError(f"confusion matrix {joint.tolist()} (predicted x label) has no inverse: {_why(joint)}")
    rng = np.random.default_rng(seed)
    joints = rng.multinomial(joint.sum(), joint.ravel() / joint.sum(), n_resamples).reshape(-1, k, k)
    joints = joints[np.linalg.cond(joints / joint.sum()) < 1e6]
    drawn = rng.multinomial(counts.sum(), counts / counts.sum(), len(joints))
    prevalence = _invert(joint[None], counts[None])[0]
    low = high = prevalence
    if n_resamples:
        low, high = np.quantile(_invert(joints, drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return LabelShift(prevalence, low, high, prevalence / (joint.sum(axis=0) / joint.sum()))


def _why(joint: np.ndarray) -> str:
    """What is true of a confusion matrix (predicted x label) without an inverse."""
    for label in np.flatnonzero(joint.sum(axis=0) == 0):
        return f"the source holds no image of class {label}, so nothing is known of how it is predicted"
    for label in np.flatnonzero(joint.sum(axis=1) == 0):
        return f"class {label} is never predicted in the source: lower its threshold, or use labels of the target"
    return "the predictions do not depend on the label"


def _invert(joint: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Counts (r, k, k) of predicted x label in the source, (r, k) of predicted in the target -> shares (r, k)."""
    joint = joint / joint.sum(axis=(1, 2), keepdims=True)
    weights = np.linalg.solve(joint, (counts / counts.sum(axis=1, keepdims=True))[:, :, None])[:, :, 0]
    shares = np.clip(weights * joint.sum(axis=1), 0, None)
    return shares / shares.sum(axis=1, keepdims=True)


class Outputs(NamedTuple):
    """What a model makes of images it was not trained on: features (n, d), prob (n, k), labels y (n,) where known.

    pixels (n, p): the images themselves, flattened, for the tests that look at them; None where they are not kept.
    """

    features: np.ndarray
    prob: np.ndarray
    y: np.ndarray | None = None
    pixels: np.ndarray | None = None

    def rows(self, index: np.ndarray | slice) -> Outputs:
        """The images at these positions."""
        return Outputs(*(None if part is None else part[index] for part in self))

    def blind(self) -> Outputs:
        """The same without labels: what a new hospital gives before anybody has looked at its images."""
        return self._replace(y=None)


def outputs_of(model: ERM, images: DomainDataset) -> Outputs:
    """What ``model`` makes of ``images``, with their labels and pixels. Chapter: domain_shift."""
    features = extract_features(model, images.x)
    with torch.no_grad():
        logits = model.classifier(features.to(device_of(model))).cpu()
    prob = logits.double().softmax(dim=1).numpy()
    return Outputs(features.numpy(), prob, images.y.numpy(), images.x.flatten(1).numpy())


class ShiftReport(NamedTuple):
    """What `diagnose` found.

    verdict: "no shift seen", "prior shift", "covariate shift", "concept shift" or "several shifts"; agreement: the
    share of random halves of the data that give the same verdict, in [0, 1] (a half in which a class is too rare to be
    examined gives none); evidence: a frame with a row per test
    (test, statistic, p_value, and adjusted, its p-value after Holm's correction); prevalence (k,): the class shares
    of the target, estimated or, with labels, counted.
    """

    verdict: str
    agreement: float
    evidence: pd.DataFrame
    prevalence: np.ndarray


def diagnose(source: Outputs, target: Outputs, seed: int, level: float = 0.05, n_repeats: int = 20) -> ShiftReport:
    """Which kind of shift does the evidence point to, and how sure is it?

    ``source`` needs labels, ``target`` may have some. Tests: features (MMD), outputs (black-box detection), prevalence
    (chi-square on predictions, or on labels), the rest (features and outputs again, after the source was resampled to
    the target's prevalence), and with labels outputs within each class. Reading, at ``level`` after Holm's correction:
      nothing differs -> no shift seen; something does, but the rest does not -> prior shift; the rest differs ->
      covariate shift, or several shifts where the target's labels show another prevalence too; images and outputs
      alike, but outputs within a class are not -> concept shift, which cannot be seen without labels.
    A test that does not alarm proves nothing: look at the sample sizes. ValueError where a class is too rare.
    After Roschewitz et al. 2025, with tests of our own. Chapter: domain_shift.
    """
    if source.y is None:
        raise ValueError("the source has no labels: pass Outputs(features, prob, y) of held-out source images")
    verdict, evidence, prevalence = _examine(source, target, seed, level)
    rng = np.random.default_rng(seed)
    same = 0
    for repeat in range(n_repeats):
        halves = [part.rows(rng.permutation(len(part.prob))[: len(part.prob) // 2]) for part in (source, target)]
        try:
            same += _examine(*halves, seed + 1 + repeat, level)[0] == verdict
        except ValueError:  # a class is missing from this half: it gives no verdict, so not the same one
            continue
    return ShiftReport(verdict, same / n_repeats if n_repeats else np.nan, evidence, prevalence)


def _examine(source: Outputs, target: Outputs, seed: int, level: float) -> tuple[str, pd.DataFrame, np.ndarray]:
    """One pass of `diagnose`: verdict, evidence, class shares of the target."""
    k = source.prob.shape[1]
    if target.y is None:
        shares = estimate_label_shift(source.y, source.prob.argmax(1), target.prob.argmax(1), seed, 0).prevalence
        prevalence = predicted_label_test(source.prob.argmax(1), target.prob.argmax(1))
    else:
        shares = np.bincount(target.y, minlength=k) / len(target.y)
        prevalence = predicted_label_test(source.y, target.y)
    rows = _positions_with_shares(source.y, shares, np.random.default_rng(seed))
    if len(rows) < 2:
        counts = np.bincount(source.y, minlength=k).tolist()
        raise ValueError(
            f"source images by class are {counts}, so {len(rows)} of them have the target's shares "
            f"{np.round(shares, 3)}: add source images of the rare class"
        )
    matched = source.rows(rows)
    rest = [mmd_two_sample_test(matched.features, target.features, seed, 200)]
    rest.append(black_box_shift_detection(matched.prob, target.prob))
    tests = {
        "features": mmd_two_sample_test(source.features, target.features, seed, 200),
        "outputs": black_box_shift_detection(source.prob, target.prob),
        "prevalence": prevalence,
        "rest, at equal prevalence": ShiftTest(rest[0].statistic, min(1.0, 2 * min(test.p_value for test in rest))),
    }
    if target.y is not None:
        both = [(source.prob[source.y == c], target.prob[target.y == c]) for c in range(k)]
        within = [black_box_shift_detection(*pair) for pair in both if min(map(len, pair)) >= 2]
        if within:  # else no class has two images on both sides
            p_value = min([1.0, *(len(within) * test.p_value for test in within)])
            tests["outputs within a class"] = ShiftTest(max(test.statistic for test in within), p_value)
    evidence = pd.DataFrame([(name, *test) for name, test in tests.items()], columns=["test", "statistic", "p_value"])
    evidence["adjusted"] = holm(evidence["p_value"].to_numpy())
    alarm = dict(zip(evidence["test"], evidence["adjusted"] < level, strict=True))
    if not any(alarm.values()):
        verdict = "no shift seen"
    elif alarm.get("outputs within a class") and not (alarm["features"] or alarm["outputs"]):
        verdict = "concept shift"
    elif not alarm["rest, at equal prevalence"] and not alarm.get("outputs within a class"):
        verdict = "prior shift"
    elif target.y is not None and alarm["prevalence"]:
        verdict = "several shifts"
    else:
        verdict = "covariate shift"
    return verdict, evidence, shares


def _positions_with_shares(y: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions of the largest subset of labels y (n,) with the class shares (k,), drawn without replacement."""
    counts = np.bincount(y, minlength=len(shares))
    wanted = shares > 0
    total = min(counts[wanted] / shares[wanted])
    sizes = np.minimum(np.round(total * shares).astype(int), counts)
    picked = [rng.choice(np.flatnonzero(y == label), n, replace=False) for label, n in enumerate(sizes)]
    return np.sort(np.concatenate(picked))
