"""Frozen features beside networks that train: the same sealed domains, one `Result`. Chapter: pretraining.

Features are given as {name: [z of one network, z of another seed of it, ...]}, each z (N, d) with the rows of the data
set, as `pretraining.lite0_features` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor

from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.machine import map_runs, training_device
from medgen_utils.pretraining.transfer import at, probe_by_domain
from medgen_utils.probes import linear_probe
from medgen_utils.training import ERM, build, fit, flips

Features = Mapping[str, Sequence[Tensor]]
SCRATCH = "from scratch"


def compare_frozen(
    features: Features,
    dataset: DomainDataset,
    *,
    beside: Result | None = None,
    targets: Sequence[str] | None = None,
    unit: str = "domain",
) -> Result:
    """A linear probe on each of the features, leaving out each target: a `Result`, the methods of ``beside`` first.

    The targets are those of ``beside`` where it is given, trained here or stored (a row a tested domain). A network
    that comes once is probed once: its one seed draws the validation tenth alone; a random network has as many seeds as
    features. ValueError where features do not fit.
    """
    if beside is not None:
        targets = list(dict.fromkeys(beside.frame["domain"]))
    tasks = [(z, name, seed) for name, several in features.items() for seed, z in enumerate(several)]

    def one(z: Tensor, name: str, seed: int) -> pd.DataFrame:
        return probe_by_domain(z, dataset, name=name, seed=seed, targets=targets)

    frame = pd.concat([one(*task) for task in tasks], ignore_index=True)
    test, inside = (frame[frame["split"] == part] for part in ("test", "validation"))
    methods = tuple(features)
    if beside is None:
        made = provenance(training_device())
        about = About(0, made["versions"], made["device"], 0.0, "probes of frozen features", (dataset.info,))
    else:
        if "prob_0" not in beside.frame:  # from the store: scores and no images
            test, inside = _scored(test), _scored(inside)
        test = pd.concat([beside.frame, test], ignore_index=True)
        inside = pd.concat([beside.inside, inside], ignore_index=True)
        methods = (*beside.methods, *methods)
        about = replace(beside.about, source="trained and probed here")
    return Result(test, methods, about, "auroc", unit, inside, dataset.sites())


def _scored(images: pd.DataFrame) -> pd.DataFrame:
    """The AUROC of each network at each domain, in the columns of the store."""
    by_run = images.groupby(["algorithm", "domain", "seed"], sort=False)
    rows = [[*key, auroc(part["y"].to_numpy(), part["prob_1"].to_numpy())] for key, part in by_run]
    return pd.DataFrame(rows, columns=["method", "domain", "seed", "auroc"])


def few_patients(
    features: Features,
    dataset: DomainDataset,
    targets: Sequence[str],
    *,
    patients: Sequence[int] = (10, 40, 160),
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 100,
    strength: float = 1e-2,
    width: int = 16,
) -> pd.DataFrame:
    """Few patients of each source: a small network from scratch beside probes, on targets that no one has seen.

    ``patients`` images are drawn from each hospital that is no target (data sets with an image a patient). Columns
    training (`SCRATCH` or the name of the features), target, patients (a hospital), seed, auroc. ``strength`` of the
    probes is fixed beforehand: with ten patients nothing can be chosen. ValueError for more patients than there are.
    """
    sources = dataset.without(*targets)
    sizes = sources.domain.bincount()
    smallest = int(sizes[sizes > 0].min())
    if max(patients) > smallest:
        raise ValueError(f"patients={tuple(patients)}: the smallest training hospital has {smallest}")

    def one(number: int, seed: int) -> list[list]:
        rng = np.random.default_rng([seed, number])
        inside = [np.flatnonzero(sources.domain == k) for k in sources.domain.unique()]
        train = sources.subset(np.concatenate([rng.choice(rows, number, replace=False) for rows in inside]))
        model = build(ERM, train, seed=seed, width=width)
        fit(model, train, steps=steps, augment=flips, seed=seed)
        rows = []
        for target in targets:
            test = dataset.only(target)
            score = predict_probabilities(model, test.x)
            rows.append([SCRATCH, target, number, seed, auroc(test.y.numpy(), score[:, 1])])
            for name, several in features.items():
                z = several[seed % len(several)].numpy()
                probe = linear_probe(z[at(train, dataset)], train.y, strength)
                score = probe.predict_proba(z[at(test, dataset)])
                rows.append([name, target, number, seed, auroc(test.y.numpy(), score[:, 1])])
        return rows

    found = map_runs(one, [(number, seed) for number in patients for seed in seeds])
    columns = ["training", "target", "patients", "seed", "auroc"]
    return pd.DataFrame([row for rows in found for row in rows], columns=columns)
