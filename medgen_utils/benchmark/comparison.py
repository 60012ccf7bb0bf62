"""A few methods side by side in one line, live. Chapters: all remedies.

``compare(["ERM", "CORAL"], hospitals)`` trains here what the evidence store holds for the book's own data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from torch import nn

from medgen_utils.benchmark.entries import CONTENDERS, Contender
from medgen_utils.benchmark.protocol import run_contender
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance, rise
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import Augmentation, flips


def compare(
    methods: Sequence[str | Contender],
    dataset: DomainDataset,
    *,
    target: str | Sequence[str | tuple[str, ...]] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    metric: str = "auroc",
    unit: str = "domain",
    augment: Augmentation | None = flips,
    balanced: bool = True,
    width: int = 16,
    backbone: Callable[[], nn.Module] | None = None,
    evaluations: int = 0,
    n_jobs: int | None = None,
) -> Result:
    """Train each method without each target, with each seed, and test it on the target: a `Result`.

    methods: names of `entries.CONTENDERS`, or contenders of your own, with their default settings; the first is the
    baseline. target: a domain, several that are left out one after the other (a tuple among them: together), or None
    for every domain in turn. ``evaluations``: how often the in-domain score is taken on the way, for ``result.rises``.
    ``backbone()`` makes another featurizer than the small network of this ``width``.
    ``unit``: what a domain is in words, "hospital" only where each is one. The runs go side by side, one thread each.
    ValueError for an unknown method or domain.
    """
    crew = [_contender(method) for method in methods]
    targets = list(dataset.domain_names) if target is None else [target] if isinstance(target, str) else list(target)
    options = {"steps": steps, "augment": augment, "balanced": balanced, "width": width, "backbone": backbone}
    options |= {"evaluations": evaluations}

    def one(contender: Contender, left_out: str | tuple[str, ...], seed: int) -> tuple[pd.DataFrame, float]:
        mine = options | {"steps": round(steps * contender.passes)}
        frame = run_contender(contender, dataset, left_out, contender.settings(0), seed=seed, **mine)
        return frame, rise(" ".join(map(str, frame.attrs["curve"]))) if evaluations else np.nan

    tasks = [(contender, left_out, seed) for seed in seeds for left_out in targets for contender in crew]
    frames, rises = zip(*map_runs(one, tasks, n_jobs), strict=True)
    frame = pd.concat(frames, ignore_index=True)
    took = frame.drop_duplicates("run")["seconds"].sum()
    made = provenance(training_device())
    trained = tuple(sorted({round(steps * contender.passes) for contender in crew}))
    about = About(trained, made["versions"], made["device"], took, credit=(dataset.info,))
    inside = frame[frame["split"] == "validation"].reset_index(drop=True)
    test = frame[frame["split"] == "test"].reset_index(drop=True)
    names = [contender.name for contender in crew]
    rose = pd.Series(rises, [task[0].name for task in tasks]).dropna().groupby(level=0).mean().reindex(names).dropna()
    return Result(test, tuple(names), about, metric, unit, inside, dataset.sites(), rose)


def _contender(method: str | Contender) -> Contender:
    if isinstance(method, Contender):
        return method
    for contender in CONTENDERS:
        if contender.name == method:
            return contender
    raise ValueError(f"no method {method!r}: choose from {[contender.name for contender in CONTENDERS]}")
