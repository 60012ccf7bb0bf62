"""What is no error in a table of predictions but may be a mistake: sentences for the report. Used by `audit.read`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medgen_utils.evaluation import auroc
from medgen_utils.tables import data_columns, shown


def repeated_rows(table: pd.DataFrame, used: list[str]) -> list[str]:
    """Rows that are equal to an earlier one in every column."""
    columns = data_columns(table)
    again = table.duplicated(columns)
    if not again.any():
        return []
    if not set(columns) - set(used) and not table.duplicated(columns, keep=False).all():
        return []  # rounded numbers without a name are equal by chance
    first = table.index[int(np.argmax(again.to_numpy()))]
    return [
        f"{int(again.sum())} of {len(table)} rows are identical to an earlier one in every column (the first: row "
        f"{first}): images listed twice count twice, drop the repeats"
    ]


def shared_patients(table: pd.DataFrame, domain: str, group: str, unknown: set[str]) -> list[str]:
    """Patients with images in several domains."""
    pairs = table[[domain, group]].drop_duplicates()
    pairs = pairs[~pairs[group].isin(unknown)]
    several = pairs[pairs[group].duplicated(keep=False)]
    names = several[group].unique()
    if len(names) == 0:
        return []
    where = " and ".join(map(shown, several.loc[several[group] == names[0], domain].iloc[:3]))
    return [
        f"{len(names)} patient(s) of column {group!r} have images in several domains (the first: {shown(names[0])}, in "
        f"{where}): they count as different patients, as where each domain numbers its own; if they are the same, "
        "the domains are not independent"
    ]


def one_image_each(table: pd.DataFrame, domain: str, group: str) -> list[str]:
    """Patients named, each with one image."""
    if table.duplicated([domain, group]).any():
        return []
    return [f"every patient of column {group!r} has one image, so that patients are resampled as images are"]


def hard_decisions(prob: np.ndarray, source: str) -> list[str]:
    """Probabilities that are all 0 or 1."""
    if not np.isin(prob, (0.0, 1.0)).all():
        return []
    return [
        f"{source} holds 0 and 1 only: decisions, not probabilities; the AUROC then knows one threshold, and "
        "calibration says nothing"
    ]


def below_chance(y: np.ndarray, prob: np.ndarray, source: str, names: list[str]) -> list[str]:
    """Classes whose probability is lower where they are true, by far more than chance would give."""
    found = []
    for k in [1] if prob.shape[1] == 2 else range(prob.shape[1]):
        inside = y == k
        n, m = int(inside.sum()), int((~inside).sum())
        if not n or not m:
            continue
        value = auroc(inside.astype(np.int64), np.stack([1 - prob[:, k], prob[:, k]], axis=1))
        if value < 0.5 - 4 * np.sqrt((n + m + 1) / (12 * n * m)):
            found.append((k, value))
    if not found:
        return []
    k, value = found[0]
    name = names[k] if names else str(k)
    if prob.shape[1] == 2:
        return [
            f"{source}: AUROC {value:.3f} over all rows, below chance: is this the probability of class 1 ({name}), "
            "or that of the other class?"
        ]
    return [
        f"{source}: the probability of class {name} is lower where it is true (AUROC {value:.3f}): are the columns in "
        "the order of the classes?"
    ]
