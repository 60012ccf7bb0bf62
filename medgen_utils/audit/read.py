"""A CSV of predictions -> the tidy frame, or an error that names column, row and remedy. Used by the audit."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd


class BadInput(ValueError):
    """The file cannot be audited; the message says where and what to do."""


def read_predictions(
    path: str | Path,
    *,
    label: str = "y",
    prob: Sequence[str] = ("prob",),
    domain: str = "domain",
    group: str | None = None,
    identity: str | None = None,
    model: str | None = None,
    positive: str | None = None,
    exclude: Sequence[str] = (),
    separator: str = ",",
    encoding: str = "utf-8-sig",
) -> pd.DataFrame:
    """Read predictions and bring them into the tidy form of `evaluation.predictions_frame`.

    prob: for each model its column, or the stem of its columns stem_0 ... stem_k. model: a column that names the model
    of each row instead (then ``identity`` must say which image it is). label: 0 ... k, or any two words with
    ``positive`` naming the one that is class 1. exclude: domains to leave out. BadInput for everything unclear.
    """
    table = _read(path, separator, encoding, [domain, group, identity, model])
    needed = [label, domain, *(column for column in (group, identity, model) if column)]
    for column in needed:
        _require(table, column, separator)
    stems = {name: _prob_columns(table, name, separator) for name in prob}
    for column in needed[1:]:
        _first(table[column].isna(), column, "is empty", "fill it in or drop the row")
    table = table[~table[domain].isin(exclude)]
    if table.empty:
        raise BadInput(f"{path}: no rows are left after --exclude {' '.join(exclude)}: exclude fewer domains")
    y = _labels(table, label, positive)
    frames = []
    for name, columns in stems.items():
        values = _probabilities(table, columns)
        if y.max() >= values.shape[1]:
            at = int(np.argmax(y >= values.shape[1]))
            where = f"column {label!r}, row {table.index[at] + 1}"
            raise BadInput(f"{where}: class {y[at]}, but the probabilities have {values.shape[1]} classes: add columns")
        names = table[model] if model else name
        frames.append(_tidy(table, y, values, names, domain, group, identity))
    if model and not identity:
        raise BadInput("--model needs --id: without the image's id its predictions by two models cannot be paired")
    if len({len(frame.columns) for frame in frames}) > 1:
        raise BadInput(f"models {list(stems)} have different numbers of classes: audit them one by one")
    _one_class(frames[0], label)
    if identity:
        _duplicates(table, [model] if model else [], identity)
    return pd.concat(frames, ignore_index=True)


def _read(path: str | Path, separator: str, encoding: str, words: Sequence[str | None]) -> pd.DataFrame:
    types = {column: str for column in words if column}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                sep=separator,
                encoding=encoding,
                dtype=types,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
            )
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file: check the path") from None
    except UnicodeDecodeError:
        where = _undecodable(path, separator, encoding)
        raise BadInput(
            f"{path}: {where} is not {encoding.removesuffix('-sig')}: save the file as UTF-8, or name its encoding, "
            "for example --encoding latin-1"
        ) from None
    except pd.errors.ParserWarning:
        raise BadInput(f"{path}: rows have more fields than the header: name every column") from None
    except LookupError:
        raise BadInput(f"unknown encoding {encoding!r}: try utf-8, utf-16 or latin-1") from None
    except pd.errors.EmptyDataError:
        raise BadInput(f"{path}: the file is empty: export the predictions again") from None
    except pd.errors.ParserError as error:
        raise BadInput(
            f"{path}: {error}: every row needs as many fields as the header; quote commas in names"
        ) from None
    if table.empty:
        raise BadInput(f"{path}: a header and no rows: export the predictions again")
    if twice := [column for column in table.columns if column.endswith(".1") and column[:-2] in table.columns]:
        raise BadInput(f"{path}: column {twice[0][:-2]!r} occurs twice: rename one of them")
    return table


def _undecodable(path: str | Path, separator: str, encoding: str) -> str:
    """Where the file stops being text: the row, the column and the byte."""
    header: list[bytes] = []
    with open(path, "rb") as file:
        for number, line in enumerate(file):
            header = header or line.rstrip(b"\r\n").split(separator.encode())
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                field = line[: error.start].count(separator.encode())
                column = header[min(field, len(header) - 1)].decode(errors="replace")
                byte = line[error.start]
                place = f"row {number} (the header not counted), column {column!r}" if number else "the header"
                return f"{place}: byte 0x{byte:02x}"
    return "the file"


def _require(table: pd.DataFrame, column: str, separator: str) -> None:
    if column in table.columns:
        return
    near = difflib.get_close_matches(column, table.columns, 1)
    hint = f"did you mean {near[0]!r}?" if near else "name it with the option of its kind"
    if len(table.columns) == 1 and any(mark in table.columns[0] for mark in ";\t"):
        hint = f"the file does not look separated by {separator!r}: pass --separator ';' or --separator tab"
    raise BadInput(f"column {column!r} is missing; the file has {list(table.columns)[:20]}: {hint}")


def _prob_columns(table: pd.DataFrame, name: str, separator: str) -> list[str]:
    if name in table.columns:
        return [name]
    columns = [f"{name}_{k}" for k in range(len(table.columns)) if f"{name}_{k}" in table.columns]
    if columns != [f"{name}_{k}" for k in range(len(columns))]:
        raise BadInput(f"columns {columns} have a gap: number the classes {name}_0, {name}_1 ... without one")
    if len(columns) < 2:
        _require(table, name, separator)
    return columns


def _first(bad: pd.Series, column: str, what: str, remedy: str) -> None:
    if bad.any():
        row = bad.index[int(np.argmax(bad.to_numpy()))] + 1
        more = f" ({int(bad.sum())} rows in all)" if bad.sum() > 1 else ""
        raise BadInput(f"column {column!r}, row {row} (the header not counted){more}: {what}: {remedy}")


def _labels(table: pd.DataFrame, column: str, positive: str | None) -> np.ndarray:
    values = table[column]
    _first(values.isna(), column, "the label is empty", "fill it in or drop the row")
    words = values.astype(str)
    if positive is not None:
        if positive not in set(words):
            raise BadInput(
                f"column {column!r} never holds {positive!r}, only {sorted(set(words))[:6]}: check --positive"
            )
        if words.nunique() > 2:
            raise BadInput(
                f"column {column!r} holds {words.nunique()} labels: --positive is for two; number them 0 to k"
            )
        return (words == positive).to_numpy().astype(np.int64)
    numbers = pd.to_numeric(words.replace({"True": "1", "False": "0"}), errors="coerce")
    bad = numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    example = words[bad].iloc[0] if bad.any() else ""
    _first(bad, column, f"label {example!r} is no class number", "number the classes 0, 1 ..., or pass --positive NAME")
    return numbers.to_numpy().astype(np.int64)


def _probabilities(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """(n, k) with rows summing to one; a single column is the probability of class 1."""
    values = []
    for column in columns:
        numbers = pd.to_numeric(table[column], errors="coerce")
        bad = numbers.isna()
        example = table.loc[bad, column].iloc[0] if bad.any() else ""
        _first(bad, column, f"{example!r} is no number", "give every image a probability or drop the row")
        outside = (numbers < 0) | (numbers > 1)
        example = numbers[outside].iloc[0] if outside.any() else 0.0
        remedy = "pass probabilities, not logits or percentages"
        _first(outside, column, f"{example:g} is outside [0, 1]", remedy)
        values.append(numbers.to_numpy(float))
    if len(columns) == 1:
        return np.stack([1 - values[0], values[0]], axis=1)
    prob = np.stack(values, axis=1)
    total = pd.Series(prob.sum(1), index=table.index)
    wrong = (total - 1).abs() > 0.01
    example = total[wrong].iloc[0] if wrong.any() else 1.0
    what = f"{columns[0]} to {columns[-1]} sum to {example:.3f}"
    _first(wrong, columns[0], what, "give one probability for every class, summing to 1")
    return prob / prob.sum(1, keepdims=True)


def _tidy(
    table: pd.DataFrame,
    y: np.ndarray,
    prob: np.ndarray,
    names: pd.Series | str,
    domain: str,
    group: str | None,
    identity: str | None,
) -> pd.DataFrame:
    index = pd.factorize(table[identity])[0] if identity else np.arange(len(table))
    unit = table[group] if group else pd.Series(index, index=table.index).astype(str).radd("image ")
    columns = {"run": names, "algorithm": names, "seed": 0, "protocol": "file", "split": "test"}
    columns |= {"domain": table[domain], "group": table[domain] + "/" + unit, "index": index, "y": y}
    frame = pd.DataFrame(columns | {"pred": prob.argmax(1)}, index=table.index)
    return frame.assign(**{f"prob_{k}": prob[:, k] for k in range(prob.shape[1])})


def _one_class(frame: pd.DataFrame, label: str) -> None:
    for domain, y in frame.groupby("domain", sort=False)["y"]:
        if y.nunique() < 2:
            raise BadInput(
                f"column {label!r}: all {len(y)} rows of domain {domain!r} are class {y.iloc[0]} (first in row "
                f"{y.index[0] + 1}), so nothing can be told apart there: add cases, or use --exclude {domain!r}"
            )


def _duplicates(table: pd.DataFrame, model: list[str], identity: str) -> None:
    again = table.duplicated([*model, identity])
    if again.any():
        row = again.index[int(np.argmax(again.to_numpy()))]
        value = table.loc[row, identity]
        first = table.index[(table[identity] == value).to_numpy()][0] + 1
        what = f"id {value!r} was in row {first} already"
        _first(again, identity, what, "drop the repeats, or make ids unique (hospital-number)")
