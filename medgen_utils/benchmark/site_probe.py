"""Do features that were trained for the diagnosis name the hospital, too? Chapter: generalization_gap."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from medgen_utils.benchmark.one_source import RATES
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import map_runs
from medgen_utils.pretraining import hospital_probes
from medgen_utils.training import ERM, Augmentation, build, extract_features, fit, flips

TRAINED, UNTRAINED = "trained for the diagnosis", "untrained"


def site_probes(
    dataset: DomainDataset,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    augment: Augmentation | None = flips,
    width: int = 16,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """A linear probe for the hospital on frozen features: columns network, seed, value (balanced accuracy), chance.

    The network is trained for the diagnosis on all domains, or not at all; neither was asked for the hospital.
    The probe is judged on patients it has not seen. Source of the question: Zech et al. 2018.
    """

    def one(seed: int) -> pd.DataFrame:
        model = build(ERM, dataset, seed=seed, width=width)
        before = extract_features(model, dataset.x)
        fit(model, dataset, steps=steps, augment=augment, seed=seed, **RATES)
        features = {TRAINED: [extract_features(model, dataset.x)], UNTRAINED: [before]}
        return hospital_probes(features, dataset).assign(seed=seed)

    return pd.concat(map_runs(one, [(seed,) for seed in seeds], n_jobs), ignore_index=True)
