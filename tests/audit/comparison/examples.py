"""A comparison without training: predictions of two methods and the reference on a small clinic."""

from dataclasses import replace

import numpy as np
import pandas as pd

from medgen_utils import clinic
from medgen_utils.benchmark import About, Result
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation.predictions import frame_of

METHODS = ("ERM", "remedy", "reference: target included")


def small_clinic(n: int = 60, sites: dict[str, str] | None = None) -> DomainDataset:
    dataset = clinic.make_clinic(clinic.acquisition_hospitals(), n=n, seed=0, size=16)
    if sites is not None:
        domains = dataset.domains.assign(hospital=[sites.get(name, "") for name in dataset.domain_names])
        dataset = replace(dataset, domains=domains)
    return dataset


def compared(dataset: DomainDataset, gain: float = 0.0, seeds: int = 2, targets=None, rises=()) -> Result:
    """The remedy's scores are apart by ``gain`` more than ERM's; the reference is tested on a half."""
    frames = []
    for target in targets or dataset.domain_names:
        for seed in range(seeds):
            for name in METHODS:
                random = np.random.default_rng([seed, dataset.domain_names.index(target)])
                for split, part in (("validation", dataset.without(target)), ("test", dataset.only(target))):
                    part = part.subset(np.arange(seed % 2, len(part), 2)) if "reference" in name else part
                    score = random.normal(size=len(dataset))[part.index] + part.y.numpy() * (
                        1 + gain * (name == "remedy")
                    )
                    p = 1 / (1 + np.exp(-score))
                    label = {"name": name, "seed": seed, "protocol": f"leave out {target}", "split": split}
                    frames.append(frame_of(np.stack([1 - p, p], axis=1), part, **label))
    frame = pd.concat(frames, ignore_index=True)
    test, inside = (frame[frame["split"] == split].reset_index(drop=True) for split in ("test", "validation"))
    about = About(1000, "python 3, torch 2", "a CPU", 12.0, credit=(dataset.info,))
    return Result(test, METHODS, about, inside=inside, sites=dataset.sites(), rises=pd.Series(dict(rises), dtype=float))
