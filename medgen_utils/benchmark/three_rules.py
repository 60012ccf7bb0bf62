"""The same candidates, chosen by three rules: what a result owes to the selection.

Chapters: evaluation_protocols, feature_alignment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from medgen_utils import selection
from medgen_utils.benchmark.comparison import contenders
from medgen_utils.benchmark.entries import Contender
from medgen_utils.benchmark.protocol import build_contender
from medgen_utils.domains import DomainDataset, split
from medgen_utils.machine import map_runs
from medgen_utils.training import Augmentation, fit, flips

LOOKS = 4  # moments of a training among which a rule chooses


def candidates(
    methods: Sequence[str | Contender],
    dataset: DomainDataset,
    target: str,
    *,
    seeds: Sequence[int] = (0,),
    steps: int = 400,
    balanced: bool = True,
    augment: Augmentation | None = flips,
    width: int = 16,
    validation_share: float = 0.2,
    looks: int = LOOKS,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Train each method without the target, and again without each source in turn: all histories.

    Each is scored at ``looks`` steps on held-back images of the sources and at the target, for `chosen_by_rules`.
    Columns: those of `training.fit`'s history (split "test" at the target), trial (the method), held_out ("" or a
    source), seed, seconds (of the training).
    """
    sources = dataset.without(target)
    names = ["", *(sources.domain_names[number] for number in sources.domain.unique().tolist())]

    def one(contender: Contender, held_out: str, seed: int) -> pd.DataFrame:
        train, held_back, _ = split(sources, seed, (1 - validation_share, validation_share, 0.0))
        scored = dataset.subset(torch.isin(dataset.index, torch.cat([held_back.index, dataset.only(target).index])))
        train = train.without(held_out) if held_out else train
        model, rates = build_contender(contender, train, seed=seed, width=width)
        options = {"balanced": balanced, "augment": augment, "seed": seed, **rates}
        fitted = fit(model, train, steps=steps, validation=scored, evaluate_every=-(-steps // looks), **options)
        history = fitted.history.query("metric == 'auroc'").copy()
        history.loc[history["domain"] == target, "split"] = "test"
        return history.assign(trial=contender.name, held_out=held_out, seed=seed, seconds=fitted.seconds)

    tasks = [(c, held_out, seed) for c in contenders(methods) for held_out in names for seed in seeds]
    return pd.concat(map_runs(one, tasks, n_jobs), ignore_index=True)


def chosen_by_rules(histories: pd.DataFrame, families: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """What each of `selection.RULES` takes of each family's trials and steps, and how good that is at the target.

    families: name -> its trials. Columns: family, rule, seed, trial, step, auroc (at the target). The oracle looks at
    the target: cheating.
    """
    whole = histories[histories["held_out"] == ""]
    at_target = whole[whole["split"] == "test"].set_index(["seed", "trial", "step"])["value"]
    rows = []
    for family, trials in families.items():
        for rule in selection.RULES:
            judged = histories[histories["held_out"] != ""] if rule == selection.RULES[1] else whole
            picked = selection.choose(judged[judged["trial"].isin(trials)], rule, ["seed"])
            for pick in picked.itertuples():
                place = (pick.seed, pick.trial, pick.step)
                rows.append([family, rule, *place, at_target[place]])
    return pd.DataFrame(rows, columns=["family", "rule", "seed", "trial", "step", "auroc"])
