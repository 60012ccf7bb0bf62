"""A few methods side by side in one line, live. Chapters: all remedies.

``compare(["ERM", "CORAL"], hospitals)`` trains here what the evidence store holds for the book's own data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from torch import nn

from medgen_utils.benchmark.entries import CONTENDERS, Contender
from medgen_utils.benchmark.protocol import run_contender
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import Augmentation, flips


def compare(
    methods: Sequence[str | Contender],
    dataset: DomainDataset,
    *,
    target: str | Sequence[str] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    metric: str = "auroc",
    unit: str = "domain",
    augment: Augmentation | None = flips,
    balanced: bool = True,
    width: int = 16,
    backbone: Callable[[], nn.Module] | None = None,
    n_jobs: int | None = None,
) -> Result:
    """Train each method without each target, with each seed, and test it on the target: a `Result`.

    methods: names of `entries.CONTENDERS`, or contenders of your own, with their default settings; the first is the
    baseline. target: a domain, several that are left out one after the other, or None for every domain in turn.
    ``backbone()`` makes another featurizer than the small network of this ``width``.
    ``unit``: what a domain is in words, "hospital" only where each is one. The runs go side by side, one thread each.
    ValueError for an unknown method or domain.
    """
    crew = [_contender(method) for method in methods]
    targets = list(dataset.domain_names) if target is None else [target] if isinstance(target, str) else list(target)
    options = {"steps": steps, "augment": augment, "balanced": balanced, "width": width, "backbone": backbone}

    def one(contender: Contender, left_out: str, seed: int) -> pd.DataFrame:
        mine = options | {"steps": round(steps * contender.passes)}
        return run_contender(contender, dataset, left_out, contender.settings(0), seed=seed, **mine)

    tasks = [(contender, left_out, seed) for seed in seeds for left_out in targets for contender in crew]
    frame = pd.concat(map_runs(one, tasks, n_jobs), ignore_index=True)
    took = frame.drop_duplicates("run")["seconds"].sum()
    made = provenance(training_device())
    trained = tuple(sorted({round(steps * contender.passes) for contender in crew}))
    about = About(trained, made["versions"], made["device"], took, credit=(dataset.info,))
    inside = frame[frame["split"] == "validation"].reset_index(drop=True)
    test = frame[frame["split"] == "test"].reset_index(drop=True)
    return Result(test, tuple(contender.name for contender in crew), about, metric, unit, inside, dataset.sites())


def _contender(method: str | Contender) -> Contender:
    if isinstance(method, Contender):
        return method
    for contender in CONTENDERS:
        if contender.name == method:
            return contender
    raise ValueError(f"no method {method!r}: choose from {[contender.name for contender in CONTENDERS]}")
