"""A table of predictions -> the tidy frame, or an error that names column, row and remedy. Used by the audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.audit.reading import notices as notice
from medgen_utils.audit.reading.columns import class_columns, classes, counted, label_words, probabilities, refuse_first
from medgen_utils.audit.reading.pairing import check_repeats, check_runs, check_same_images
from medgen_utils.evaluation.predictions import NOBODY
from medgen_utils.tables import BadTable, did_you_mean, listed, one_spelling, read_table, require, tidy, unknown_words


class Roles(NamedTuple):
    """The columns that say what a row is about."""

    domain: str
    group: str | None
    identity: str | None
    model: str | None
    run: str | None
    subgroup: str | None
    unit: str | None


def read_predictions(
    path: str | Path,
    *,
    label: str = "y",
    prob: Sequence[str] = ("prob",),
    domain: str = "domain",
    group: str | None = None,
    identity: str | None = None,
    model: str | None = None,
    run: str | None = None,
    split: str | None = None,
    positive: str | None = None,
    class_names: Sequence[str] | None = None,
    subgroup: str | None = None,
    unit: str | None = None,
    exclude: Sequence[str] = (),
    unknown: Sequence[str] = (),
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
) -> pd.DataFrame:
    """Read predictions and bring them into the tidy form of `evaluation.predictions_frame`.

    prob: for each model its column (the probability of class 1), or the stem of its columns stem_0 ... stem_k, or of
    one model a column for every class, called as the labels are. model, run: columns that name the model of each row,
    and the seed or run of a model; then ``identity`` must say which image it is. label: 0 ... k, FALSE and TRUE, the
    names of class columns, or any two words with ``positive`` naming the one that is class 1. split: "test", or
    "column=value" where the column is not called split. exclude: domains to leave out. unknown: words in ``group`` that
    mean an unknown patient (each such image counts by itself). subgroup: a column to report within domains (sex, age
    band), kept under that name; unit: one of what is judged as a whole (breast, lesion), kept as well. separator,
    encoding, decimal: found where None.
    ``attrs`` of the frame: "notices", sentences for the report; "class_names", a tuple or (); "patients_named", bool.
    BadTable for everything unclear.
    """
    table = read_table(path, separator=separator, encoding=encoding)
    notices = list(table.attrs["notices"])
    roles = Roles(domain, group, identity, model, run, subgroup, unit)
    for column in filter(None, (label, *roles)):
        require(path, table, column)
    for option, column in (("--model", model), ("--run", run)):
        if column and not identity:
            raise BadTable(f"{option} needs --id: without the image's id its predictions cannot be paired")
    for role in ("domain", "model", "run"):
        others = [other for other in roles._fields if other != role and getattr(roles, other) == getattr(roles, role)]
        if getattr(roles, role) and others:
            raise BadTable(f"column {getattr(roles, role)!r} is both {role} and {others[0]}: name a column for each")
    table = _chosen_split(table, split, {label, *roles})
    table, told = _spelled(table, roles, set(unknown))
    notices += told
    table = _without(table, domain, exclude, path)
    words, told = label_words(table, label)
    notices += told
    columns = class_columns(table, prob, words)
    widths = {name: max(2, len(of)) for name, (of, _) in columns.items()}
    if len(set(widths.values())) > 1:
        raise BadTable(f"models {list(columns)} have different numbers of classes, {widths}: audit them one by one")
    of, names = next(iter(columns.values()))
    if positive is not None and names:
        of, names = _positive_last(of, names, positive)
        columns = dict.fromkeys(columns, (of, names)) if len(columns) == 1 else columns
    y, names = classes(
        table, label, words, names, max(2, len(of)), positive, " to ".join(dict.fromkeys((of[0], of[-1])))
    )
    if class_names is not None:
        if len(class_names) != max(2, len(of)):
            raise BadTable(
                f"{len(class_names)} names {list(class_names)} for {max(2, len(of))} classes: name each once"
            )
        names = list(class_names)
    if identity is None:
        notices += check_runs(table, {*of, *columns, label, *roles})
    if identity:
        check_repeats(table, [column for column in (model, run) if column], identity)
    if model or run:
        check_same_images(table, words, model, run, identity, domain, group, label)
    if group:
        images = table.drop_duplicates(identity) if identity else table
        shared = notice.shared_patients(images, domain, group, set(unknown))
        notices += shared or notice.one_image_each(images, domain, group)
    used = [label, domain, *(column for name in columns for column in columns[name][0])]
    notices += notice.repeated_rows(table, used)
    frames = []
    for name, (of, _) in columns.items():
        values = probabilities(table, of, decimal)
        source = " to ".join(dict.fromkeys((of[0], of[-1])))
        notices += notice.hard_decisions(values, source) + notice.below_chance(y, values, source, names)
        frames.append(_tidy(table, y, values, table[model] if model else name, roles, set(unknown)))
    frame = pd.concat(frames, ignore_index=True)
    named = group is not None and not table[group].str.contains(NOBODY).all()
    frame.attrs = {"notices": notices, "class_names": tuple(names), "patients_named": named}
    return frame


def _chosen_split(table: pd.DataFrame, split: str | None, used: set[str | None]) -> pd.DataFrame:
    """The rows of one split; BadTable where there are several and none was asked for."""
    column, _, value = split.rpartition("=") if split else ("", "", "")
    column = column or "split"
    if column not in table or (split is None and column in used):
        if split is not None:
            raise BadTable(
                f"--split {split}: the file has no column {column!r}, but {listed(table.columns)}: "
                f"--split COLUMN={value} names another"
            )
        return table
    found = table[column].map(str.strip)
    if split is None and found.nunique() > 1:
        named = " or ".join(f"--split {word}" for word in found.unique()[:4])
        raise BadTable(f"column {column!r} holds {counted(found)}: audit one of them, {named}")
    if split is None:
        return table
    chosen = table[found == value]
    if chosen.empty:
        raise BadTable(
            f"--split {split}: column {column!r} holds {counted(found)}: {did_you_mean(value, found) or 'choose one'}"
        )
    return chosen


def _spelled(table: pd.DataFrame, roles: Roles, unknown: set[str]) -> tuple[pd.DataFrame, list[str]]:
    """The columns of names in one spelling, none empty, no patient called unknown without a word; and notices."""
    table, notices = table.copy(), []
    domain, group, identity, model, run, *_ = roles
    for column in dict.fromkeys(filter(None, roles)):
        if column == roles.subgroup:
            table[column] = table[column].where(table[column].map(str.strip) != "", "not stated")
        elif column != group or "" not in unknown:
            remedy = "fill it in or drop the row" + (", or pass --unknown ''" if column == group else "")
            refuse_first(table[column].map(str.strip) == "", table, column, "is empty", remedy)
        table[column], told = one_spelling(table[column], f"column {column!r}")
        notices += told if column in (domain, model, run) else [text for text in told if "capitals" not in text]
    if group:
        units = table.drop_duplicates([group, identity])[group] if identity else table[group]
        for word, n in unknown_words(units):
            if word not in unknown:
                raise BadTable(
                    f"column {group!r}: {word!r} is in {n} rows: is it one patient? If it means that nobody knows, "
                    f"pass --unknown {word}, and each such image counts by itself; if it is one, give it another name"
                )
    return table, notices


def _without(table: pd.DataFrame, domain: str, exclude: Sequence[str], path: str | Path) -> pd.DataFrame:
    known = table[domain].unique()
    exclude = [tidy(name) for name in exclude]
    for name in exclude:
        if name not in known:
            hint = did_you_mean(name, known) or f"choose from {sorted(known)[:20]}"
            raise BadTable(f"--exclude {name}: there is no such domain: {hint}")
    left = table[~table[domain].isin(exclude)]
    if left.empty:
        raise BadTable(f"{path}: no rows are left after --exclude {' '.join(exclude)}: exclude fewer domains")
    return left


def _positive_last(columns: list[str], names: list[str], positive: str) -> tuple[list[str], list[str]]:
    """Two class columns with the positive one second, so that it is class 1."""
    if positive not in names or len(names) > 2:
        known = f"--positive {positive}: the classes are {names}"
        raise BadTable(f"{known}: {'choose one of them' if len(names) == 2 else 'it is for two, leave it out'}")
    if names[1] == positive:
        return columns, names
    return columns[::-1], names[::-1]


def _tidy(
    table: pd.DataFrame, y: np.ndarray, prob: np.ndarray, names: pd.Series | str, roles: Roles, unknown: set[str]
) -> pd.DataFrame:
    domain, group, identity, _, run, subgroup, unit = roles
    index = pd.factorize(table[identity])[0] if identity else np.arange(len(table))
    alone = "image " + pd.Series(index, index=table.index).astype(str)
    patient = alone if group is None else table[group].mask(table[group].isin(unknown), alone)
    runs = names if run is None else pd.Series(names, index=table.index) + "/" + table[run]
    seed = 0 if run is None else pd.factorize(table[run])[0]
    columns = {"run": runs, "algorithm": names, "seed": seed, "protocol": "file", "split": "test"}
    columns |= {"domain": table[domain], "group": table[domain] + "/" + patient, "index": index, "y": y}
    columns |= {"subgroup": table[subgroup]} if subgroup else {}
    if unit:
        columns["unit"] = table[domain] + "/" + ("" if group is None else patient + "/") + table[unit]
    frame = pd.DataFrame(columns | {"pred": prob.argmax(1)}, index=table.index)
    return frame.assign(**{f"prob_{k}": prob[:, k] for k in range(prob.shape[1])})
