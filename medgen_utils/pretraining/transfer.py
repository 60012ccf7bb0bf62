"""Do frozen features travel? A linear probe by left-out hospital, and what a few labels there would buy.

Features z (N, d) belong to a `DomainDataset` row by row (`features.dataset_features`). Chapter: pretraining.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import auroc
from medgen_utils.evaluation.predictions import frame_of
from medgen_utils.probes import linear_probe

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def probe_by_domain(
    z: Tensor,
    dataset: DomainDataset,
    *,
    name: str,
    seed: int = 0,
    targets: Sequence[str] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> pd.DataFrame:
    """Leave one domain out with a linear probe instead of training: the tidy frame of `evaluation.predictions_frame`.

    For each target (all domains of the data set unless named) a tenth of each source's patients, drawn with ``seed``,
    is set aside; of the ``strengths`` the one with the best mean AUROC over the sources' tenths is used
    (training-domain validation), so the target has no part in it. Split "validation" are those tenths, "test" is the
    target. ValueError where z and the data set do not match.
    """
    z = _rows_of(z, dataset)
    frames = []
    for target in targets or [dataset.domain_names[number] for number in dataset.domain.unique().tolist()]:
        train, validation, _ = split(dataset.without(target), seed, (0.9, 0.1, 0.0))
        test = dataset.only(target)
        probes = [linear_probe(z[at(train, dataset)], train.y, strength) for strength in strengths]
        scores = [_mean_auroc(probe.predict_proba(z[at(validation, dataset)]), validation) for probe in probes]
        best = probes[int(np.argmax(scores))]
        for part, where in ((validation, "validation"), (test, "test")):
            prob = best.predict_proba(z[at(part, dataset)])
            frames.append(frame_of(prob, part, name=name, seed=seed, protocol=f"leave out {target}", split=where))
    return pd.concat(frames, ignore_index=True)


def labels_at_the_target(
    z: Tensor,
    dataset: DomainDataset,
    target: str,
    *,
    patients: Sequence[int] = (5, 10, 50, 100),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    strength: float = 1e-2,
) -> pd.DataFrame:
    """What labels of a few patients at the new hospital buy: columns patients, training, seed, auroc, tested (images).

    Half of the target's patients, drawn with each seed, are the test. training: "other hospitals" (no label of the
    target, patients 0), "target alone", or "both", where the target's few images together weigh as much as all the
    others. A draw that holds one class only has no row "target alone". ``strength`` is fixed beforehand: with five
    patients nothing can be chosen. Numbers of patients beyond what is there are left out.
    """
    z = _rows_of(z, dataset)
    sources = dataset.without(target)
    rows = []
    for seed in seeds:
        pool, _, test = split(dataset.only(target), seed, (0.5, 0.0, 0.5))
        z_sources, z_test = z[at(sources, dataset)], z[at(test, dataset)]

        def score(z_train, y, weights, z_test=z_test, test=test):
            probe = linear_probe(z_train, y, strength, weights=weights)
            return auroc(test.y.numpy(), probe.predict_proba(z_test)[:, 1])

        rows.append([0, "other hospitals", seed, score(z_sources, sources.y, None), len(test)])
        names = np.where(pool.group == "", [f"image {i}" for i in range(len(pool))], pool.group)
        order = np.random.default_rng(seed).permutation(np.unique(names))
        for number in patients:
            if number > len(order):
                continue
            few = pool.subset(np.isin(names, order[:number]))
            z_few = z[at(few, dataset)]
            if len(few.y.unique()) > 1:
                rows.append([number, "target alone", seed, score(z_few, few.y, None), len(test)])
            weights = np.r_[np.ones(len(sources)), np.full(len(few), len(sources) / len(few))]
            z_both, y_both = np.concatenate([z_sources, z_few]), np.concatenate([sources.y, few.y])
            rows.append([number, "both", seed, score(z_both, y_both, weights / 2), len(test)])
    return pd.DataFrame(rows, columns=["patients", "training", "seed", "auroc", "tested"])


def at(part: DomainDataset, dataset: DomainDataset) -> np.ndarray:
    """Rows in ``dataset`` of the images of ``part``, a subset of it."""
    position = {number: row for row, number in enumerate(dataset.index.tolist())}
    return np.array([position[number] for number in part.index.tolist()], dtype=np.int64)


def _rows_of(z: Tensor, dataset: DomainDataset) -> np.ndarray:
    if z.ndim != 2 or len(z) != len(dataset):
        raise ValueError(
            f"features {tuple(z.shape)} for {len(dataset)} images: give one row an image, of this data set"
        )
    return z.numpy()


def _mean_auroc(prob: np.ndarray, part: DomainDataset) -> float:
    """Mean over the domains in which both classes occur."""
    values = []
    for number in part.domain.unique().tolist():
        inside = (part.domain == number).numpy()
        if len(np.unique(part.y[inside])) > 1:
            values.append(auroc(part.y.numpy()[inside], prob[inside]))
    return float(np.mean(values))
