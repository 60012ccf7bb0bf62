"""Which step, which hyper-parameters, and how the test domain stays unseen. Chapter: evaluation_protocols.

A rule reads the history of training (columns ``step split domain metric value``, as ``training.fit`` returns it; with
a column ``trial`` where several settings were tried) and returns a `Choice`. Leave-one-domain-out is the evaluation
scheme of the whole book and is no rule here: every rule is applied inside it, to the training domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import predictions_frame
from medgen_utils.evaluation.metrics import LOWER_IS_BETTER

RULES = ("training-domain validation", "held-out-domain validation", "oracle")


class Choice(NamedTuple):
    """What a rule chose: the step, its score, the rule's name, the trial (None without a ``trial`` column)."""

    step: int
    score: float
    rule: str
    trial: object = None
    cheating: bool = False


def training_domain_validation(history: pd.DataFrame, metric: str = "auroc") -> Choice:
    """The step with the best mean over training domains on their held-back images (split "validation").

    Honest, and blind to the shift: it asks how the model does where it was trained. Source: Gulrajani & Lopez-Paz 2021.
    """
    return _one(history, RULES[0], metric)


def held_out_domain_validation(history: pd.DataFrame, metric: str = "auroc") -> Choice:
    """The step with the best mean over runs that each held out one training domain and were scored on it.

    history: those runs one below the other, with a column ``held_out`` naming the domain; the rows used are split
    "validation" of that domain. One extra run for each training domain; then retrain on all of them for that many
    steps. ValueError where the column is missing or a domain was not scored at every step.
    """
    return _one(history, RULES[1], metric)


def oracle(history: pd.DataFrame, metric: str = "auroc") -> Choice:
    """The step with the best score on the TEST domain (split "test"): cheating, an upper bound and nothing else.

    The choice says so in ``rule`` and ``cheating``; show them wherever its score is shown.
    """
    choice = _one(history, RULES[2], metric)
    return choice._replace(rule="oracle (cheating: chosen on the test domain)", cheating=True)


def choose(history: pd.DataFrame, rule: str, by: Sequence[str] = (), metric: str = "auroc") -> pd.DataFrame:
    """One of `RULES` applied to many histories at once, one for each value of the columns ``by``.

    Returns a row for each: ``by``, trial (where the history has it), step, score (mean over domains). Of equal trials
    and steps the first. ValueError for an unknown rule, and where a history cannot be judged by it.
    """
    rows = _judged(history, rule)
    rows = rows[rows["metric"] == metric]
    if rows.empty:
        raise ValueError(f"the history has no {metric!r} for {rule}: score the model during training (evaluate_every=)")
    by, keys = list(by), ["trial", "step"] if "trial" in rows.columns else ["step"]
    table = rows.groupby([*by, *keys, "domain"])["value"].mean().unstack("domain").dropna(how="all")
    known = table.notna()
    gaps = ~known & (known.groupby(by).transform("any") if by else known.any())
    if len(gaps := table.index[gaps.any(axis=1)]):
        raise ValueError(f"{metric!r} is missing or NaN in some domain at {[*by, *keys]} {gaps[0]}: score every domain")
    if table.empty:
        raise ValueError(f"{metric!r} is NaN at every step: a domain may hold one class only")
    scores = table.mean(axis=1)
    signed = -scores if metric in LOWER_IS_BETTER else scores
    best = signed.groupby(by).idxmax().tolist() if by else [signed.idxmax()]
    return scores.loc[best].rename("score").reset_index()


def _judged(history: pd.DataFrame, rule: str) -> pd.DataFrame:
    """The rows of a history that a rule looks at."""
    if rule == RULES[0]:
        return history[history["split"] == "validation"]
    if rule == RULES[2]:
        return history[history["split"] == "test"]
    if rule != RULES[1]:
        raise ValueError(f"rule={rule!r}: use one of {', '.join(RULES)}")
    if "held_out" not in history.columns:
        raise ValueError("no column 'held_out': add the domain each run left out with history.assign(held_out=name)")
    return history[(history["split"] == "validation") & (history["domain"] == history["held_out"])]


def _one(history: pd.DataFrame, rule: str, metric: str) -> Choice:
    (best,) = choose(history, rule, (), metric).to_dict("records")
    return Choice(int(best["step"]), float(best["score"]), rule, best.get("trial"))


class Opening(NamedTuple):
    """One look at the labels of a sealed domain."""

    reason: str
    peek: bool


@dataclass
class SealedDomain:
    """A test domain whose labels open once. Images may be used without labels; every opening is recorded.

    A second opening raises PermissionError unless ``peek=True``; peeks are counted, and the count travels with the
    data (``info.warnings``) and with predictions (column ``peeks``), so that metrics of them warn.
    """

    dataset: DomainDataset = field(repr=False)
    openings: list[Opening] = field(default_factory=list)

    @property
    def x(self) -> Tensor:
        """The images (N, C, H, W), without labels."""
        return self.dataset.x

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def peeks(self) -> int:
        """How often the labels were opened again."""
        return sum(opening.peek for opening in self.openings)

    def open(self, reason: str, *, peek: bool = False) -> DomainDataset:
        """The data set with labels. ``reason``: what it is opened for, in words; ``peek``: open it once more."""
        if not reason.strip():
            raise ValueError("reason is empty: write down what the labels are opened for")
        if self.openings and not peek:
            raise PermissionError(f"already opened for {self.openings[0].reason!r}: pass peek=True, and it is counted")
        self.openings.append(Opening(reason, bool(self.openings)))
        if not self.peeks:
            return self.dataset
        info = self.dataset.info
        return replace(self.dataset, info=replace(info, warnings=(*info.warnings, self.note())))

    def predictions(
        self, algorithm: object, *, name: str, seed: int, protocol: str, reason: str, peek: bool = False
    ) -> pd.DataFrame:
        """`evaluation.predictions_frame` of the opened domain, with the column ``peeks``: the peeks made so far."""
        frame = predictions_frame(algorithm, self.open(reason, peek=peek), name=name, seed=seed, protocol=protocol)
        return frame.assign(peeks=self.peeks)

    def note(self) -> str:
        """One line for under a result: how often the labels were opened and why."""
        reasons = "; ".join(opening.reason for opening in self.openings) or "never opened"
        return f"sealed test domain: opened {len(self.openings)} times, {self.peeks} of them peeks ({reasons})"


def find_leakage(train: DomainDataset, test: DomainDataset) -> pd.DataFrame:
    """What train and test share: columns kind ("patient" or "image"), domain, group, train, test (numbers of images).

    A patient is a known ``group`` of a domain. An image is shared when every pixel is equal, which also catches
    repeats whose patient is unknown; crops and rescaled copies are not found.
    """
    columns = ["kind", "domain", "group", "train", "test"]
    tables = []
    for kind in ("patient", "image"):
        counts = [_count(part, kind) for part in (train, test)]
        both = counts[0].index.intersection(counts[1].index)
        found = pd.DataFrame({"train": counts[0][both], "test": counts[1][both]}).reset_index()
        tables.append(found.assign(kind=kind).reindex(columns=columns))
    return pd.concat([table for table in tables if len(table)] or [pd.DataFrame(columns=columns)], ignore_index=True)


def assert_no_leakage(train: DomainDataset, test: DomainDataset) -> None:
    """ValueError, with an example, where train and test share a patient or an identical image."""
    if len(shared := find_leakage(train, test)):
        first = shared.iloc[0].to_dict()
        raise ValueError(f"{len(shared)} patients or images are in train and test, first {first}: split by group")


def _count(dataset: DomainDataset, kind: str) -> pd.Series:
    """Images of each patient (index domain, group), or of each distinct image (index also its bytes)."""
    keys = {"domain": np.array(dataset.domain_names, object)[dataset.domain.numpy()], "group": dataset.group}
    if kind == "image":
        keys = {"image": [hash(image.tobytes()) for image in dataset.x.numpy()]}
    rows = pd.DataFrame(keys)
    return (rows if kind == "image" else rows[rows["group"] != ""]).value_counts()
