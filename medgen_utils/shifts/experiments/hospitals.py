"""Real hospitals: patients instead of images, scanners told from hospitals, the evidence. Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import auroc, bootstrap_interval
from medgen_utils.machine import map_runs
from medgen_utils.shifts.detection import domain_classifier_test, mmd_two_sample_test
from medgen_utils.shifts.diagnosis import Outputs, diagnose, estimate_label_shift, one_per_group, outputs_of
from medgen_utils.training import ERM, Augmentation, build, fit, flips, flips_and_turns

ALL, ONE = "all images", "one image a patient"
HALVES, SCANNER, HOSPITAL = "two halves of one scanner", "two scanners of one hospital", "two hospitals"
AWAY_HOSPITAL, AWAY_SCANNER = "a hospital not seen in training", "another scanner of a hospital that was"
MOST = 400  # patients a side that the tests get: the MMD's memory grows with their square


def alarms_between_halves(scanners: Mapping[str, DomainDataset], draws: int, most: int = 150) -> pd.DataFrame:
    """How often the MMD on pixels alarms between random halves of the patients of ONE scanner, where nothing differs.

    ``scanners``: name -> the images of one scanner. A row a scanner, draw and way of giving the images (`ALL` or
    `ONE`): scanner, given, seed, alarm (at the 5 % level), images (a side, at most ``most``). ValueError where patients
    or slides are not known. Chapter: domain_shift.
    """
    for name, images in scanners.items():
        if unknown := int((images.group == "").sum()):
            raise ValueError(f"{unknown} images of {name} name no patient: halves of patients need them all")
    tasks = [(images, seed, most) for images in scanners.values() for seed in range(draws)]
    names = [name for name in scanners for _ in range(draws)]
    rows = [{"scanner": name} | row for name, pair in zip(names, map_runs(_halves, tasks), strict=True) for row in pair]
    return pd.DataFrame(rows)


def _halves(images: DomainDataset, seed: int, most: int) -> list[dict]:
    patients = np.random.default_rng(seed).permutation(np.unique(images.group))
    half = patients[: len(patients) // 2]
    rows = []
    for given, part in ((ALL, images), (ONE, one_per_group(images, seed))):
        side, random = np.isin(part.group, half), np.random.default_rng(seed)
        a, b = (random.permutation(np.flatnonzero(mask))[:most] for mask in (side, ~side))
        test = mmd_two_sample_test(part.x[a], part.x[b], seed, 200)
        rows.append({"given": given, "seed": seed, "alarm": test.p_value < 0.05, "images": min(len(a), len(b))})
    return rows


def pairs_told_apart(dataset: DomainDataset, n: int, draws: int = 10) -> pd.DataFrame:
    """How well a classifier tells by the pixels where an image comes from, for every pair of domains.

    n patients a side, one image each, so that the AUROC (held out, mean over ``draws``) can be compared between pairs;
    a domain with fewer than n patients is left out. Columns kind (`HALVES`, `SCANNER` or `HOSPITAL`), pair, value.
    Halves need 2 n patients of one domain. Chapter: domain_shift.
    """
    single = [one_per_group(dataset, seed) for seed in range(draws)]
    have = {name: len(single[0].only(name)) for name in dataset.domain_names}
    sites, known = dataset.sites(), [name for name, number in have.items() if number >= n]
    pairs = [(HALVES, name, name) for name in known if have[name] >= 2 * n]
    pairs += [(SCANNER, a, b) for a, b in combinations(known, 2) if sites[a] == sites[b]]
    pairs += [(HOSPITAL, a, b) for a, b in combinations(known, 2) if sites[a] != sites[b]]
    rows = [{"kind": kind, "pair": f"{a} and {b}", "value": _apart(single, a, b, n)} for kind, a, b in pairs]
    return pd.DataFrame(rows, columns=["kind", "pair", "value"])


def _apart(single: Sequence[DomainDataset], a: str, b: str, n: int) -> float:
    values = []
    for seed, images in enumerate(single):
        random = np.random.default_rng(seed)
        first = random.permutation(len(images.only(a)))
        second = first[n:] if a == b else random.permutation(len(images.only(b)))
        samples = images.only(a).x[first[:n]], images.only(b).x[second[:n]]
        values.append(domain_classifier_test(*samples, seed).statistic)
    return float(np.mean(values))


class Targets(NamedTuple):
    """What `read_targets` leaves out of one data set: name -> the domains of that target (a hospital's scanners).

    ``upright``: whether its images have an upright side; training turns those that have none.
    """

    dataset: DomainDataset
    left_out: Mapping[str, Sequence[str]]
    upright: bool = True


def read_targets(parts: Sequence[Targets], steps: int, *, seed: int = 0, n_repeats: int = 10) -> pd.DataFrame:
    """Each target in turn as the new place: the evidence of the tests there, and what the labels say of the model.

    The model trains on 80 % of the patients of all other domains of its data set; the tests compare the rest with the
    target, one image a patient. A row a target, hospitals first: data, target, kind (`AWAY_SCANNER` where a domain of
    its hospital was in training, else `AWAY_HOSPITAL`), patients, inside and its low, high (AUROC on the held-out
    patients of the sources, interval over patients), outside, outside_low, outside_high (at the target), apart (AUROC
    of naming the origin from pixels), blind and labelled (verdicts without and with labels), counted, estimated,
    estimated_low, estimated_high (the share of class 1, the disease). Chapter: domain_shift.
    """
    tasks = [
        (part.dataset, name, tuple(names), steps, seed, flips if part.upright else flips_and_turns, n_repeats)
        for part in parts
        for name, names in part.left_out.items()
    ]
    frame = pd.DataFrame(map_runs(_read, tasks))
    return frame.sort_values("kind", kind="stable", ignore_index=True)


def apart_against_loss(frame: pd.DataFrame) -> tuple[float, float]:
    """Spearman's rank correlation, and its p-value, of how well targets are told apart and the AUROC lost there."""
    from scipy import stats  # takes its time, and only this needs it

    relation = stats.spearmanr(frame["apart"], frame["inside"] - frame["outside"])
    return float(relation.statistic), float(relation.pvalue)


def _read(
    dataset: DomainDataset,
    name: str,
    left_out: tuple[str, ...],
    steps: int,
    seed: int,
    augment: Augmentation,
    n_repeats: int,
) -> dict:
    sources = dataset.without(*left_out)
    train, _, held_out = split(sources, seed, (0.8, 0.0, 0.2))
    model = build(ERM, train, seed=seed, width=16)
    fit(model, train, steps=steps, augment=augment, seed=seed)
    new, of = dataset.only(*left_out), dataset.sites()
    trained = {of[dataset.domain_names[number]] for number in train.domain.unique().tolist()}
    inside, outside = (_score(outputs_of(model, part), part.group, seed) for part in (held_out, new))
    a, b = (outputs_of(model, _single(part, seed)) for part in (held_out, new))
    share = estimate_label_shift(a.y, a.prob.argmax(1), b.prob.argmax(1), seed)
    return {
        "data": dataset.info.name,
        "target": name,
        "kind": AWAY_SCANNER if trained & {of[key] for key in left_out} else AWAY_HOSPITAL,
        "patients": len(b.y),
        **dict(zip(("inside", "low", "high"), inside, strict=True)),
        **dict(zip(("outside", "outside_low", "outside_high"), outside, strict=True)),
        "apart": domain_classifier_test(a.pixels, b.pixels, seed).statistic,
        "blind": diagnose(a, b.blind(), seed, n_repeats=n_repeats).verdict,
        "labelled": diagnose(a, b, seed, n_repeats=n_repeats).verdict,
        "counted": float(b.y.mean()),
        "estimated": float(share.prevalence[1]),
        "estimated_low": float(share.low[1]),
        "estimated_high": float(share.high[1]),
    }


def _single(images: DomainDataset, seed: int) -> DomainDataset:
    """One image a patient, at most `MOST`, in random order."""
    images = one_per_group(images, seed)
    return images.subset(np.random.default_rng(seed).permutation(len(images))[:MOST])


def _score(outputs: Outputs, group: np.ndarray, seed: int) -> tuple[float, float, float]:
    """AUROC with its interval over patients; an image without a patient counts as one."""
    alone = np.array([f"image {i}" for i in range(len(group))])
    interval = bootstrap_interval(auroc, outputs.y, outputs.prob, np.where(group == "", alone, group), seed=seed)
    return interval.value, interval.low, interval.high
