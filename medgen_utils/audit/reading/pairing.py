"""Whether rows of several models and runs speak of the same images, once each. Used by `audit.read`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medgen_utils.audit.reading.columns import refuse_first
from medgen_utils.tables import BadTable, data_columns, shown

RUNS = ("seed", "run", "trial", "repeat", "repetition", "replicate", "fold", "epoch", "checkpoint")
MODELS = ("model", "algorithm", "method")


def check_repeats(table: pd.DataFrame, of: list[str], identity: str) -> None:
    """BadTable where an image occurs twice within a model (and run)."""
    again = table.duplicated([*of, identity])
    if not again.any():
        return
    row = again.index[int(np.argmax(again.to_numpy()))]
    value = table.loc[row, identity]
    first = table.index[(table[identity] == value).to_numpy()][0]
    remedy = "drop the repeats, or make ids unique (hospital-number)"
    for option, names in (("--model", MODELS), ("--run", RUNS)):
        for column in (name for name in table if name.casefold() in names and name not in of):
            if (
                table.loc[row, column] != table.loc[first, column]
                and not table.duplicated([*of, identity, column]).any()
            ):
                remedy = f"column {column!r} differs between them: pass {option} {column}"
    refuse_first(again, table, identity, f"id {value!r} was in row {first} already", remedy)


def check_runs(table: pd.DataFrame, used: set[str | None]) -> list[str]:
    """Without ids: BadTable where a column of seeds or models divides the file into parts with the same images.

    They are the same where another column holds the same names in every part, each once. Returns notices about
    columns of seeds or models whose parts differ, or where no column says. ``used``: columns with another meaning.
    """
    told = []
    for option, names in (("--model", MODELS), ("--run", RUNS)):
        for column in (name for name in table if name.casefold() in names and name not in used):
            parts = [part for _, part in table.groupby(column, sort=False)]
            if len(parts) < 2:
                continue
            values = ", ".join(part[column].iloc[0] for part in parts[:4])
            if identity := _names_of_images(parts):
                raise BadTable(
                    f"column {column!r} holds {len(parts)} values ({values}), each with the same {len(parts[0])} "
                    f"images: pass {option} {column} --id {identity}, or keep the rows of one"
                )
            told.append(
                f"column {column!r} holds {len(parts)} values ({values}) and was not asked for: "
                f"every row counts as another image; {option} {column} with --id keeps them apart"
            )
    return told


def _names_of_images(parts: list[pd.DataFrame]) -> str:
    """The first column whose values are the same in all parts, each once; '' where none is."""
    for column in data_columns(parts[0]):
        values = [set(part[column]) for part in parts]
        if all(len(v) == len(p) > 1 for v, p in zip(values, parts, strict=True)) and all(
            v == values[0] for v in values
        ):
            return column
    return ""


def check_same_images(
    table: pd.DataFrame,
    words: pd.Series,
    model: str | None,
    run: str | None,
    identity: str,
    domain: str,
    group: str | None,
    label: str,
) -> None:
    """BadTable where an image has two labels, domains or patients, or a model lacks images of another."""
    facts = table.assign(**{label: words})
    patient = [] if group is None else [(group, "patient")]
    for column, what in [(label, "label"), (domain, "domain"), *patient]:
        pairs = facts.drop_duplicates([identity, column])
        twice = pairs[identity].duplicated()
        if twice.any():
            value = pairs[identity][twice].iloc[0]
            rows = pairs[pairs[identity] == value]
            cells = " and ".join(f"{cell!r} in row {row}" for row, cell in rows[column].iloc[:2].items())
            more = pairs[identity][twice].nunique() - 1
            rest = f"; so it is for {more} more images" if more else ""
            raise BadTable(
                f"{what} of image {value!r} differs: column {column!r} says {cells}{rest}: "
                "correct it, or drop the image"
            )
    if model is None:
        return
    images = {
        name: part.drop_duplicates(identity).set_index(identity) for name, part in table.groupby(model, sort=False)
    }
    for name, rows in images.items():
        for other, theirs in images.items():
            lacking = theirs.index.difference(rows.index, sort=False)
            if not len(lacking):
                continue
            whole = [d for d in theirs[domain].unique() if d not in set(rows[domain])]
            if whole:
                raise BadTable(
                    f"model {shown(name)} has no rows in {', '.join(map(shown, whole))} (column {domain!r}), "
                    f"model {shown(other)} has {int(theirs[domain].isin(whole).sum())}: test both on all, --exclude "
                    "it, or audit each alone"
                )
            raise BadTable(
                f"model {shown(name)} lacks {len(lacking)} of the {len(theirs)} images of model {shown(other)}, the "
                f"first: {lacking[0]!r} of {theirs.loc[lacking[0], domain]!r}: test both on all, or audit each alone"
            )
