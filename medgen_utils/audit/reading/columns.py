"""Text cells -> true classes and probabilities, or an error that names column, row and remedy. Used by `audit.read`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.tables import BadTable, did_you_mean, listed, one_spelling

RESIDUE = 1e-6  # what float32 leaves outside [0, 1]
_BOOLEAN = {"false": "0", "true": "1"}


def refuse_first(bad: np.ndarray | pd.Series, table: pd.DataFrame, column: str, what: str, remedy: str) -> None:
    """BadTable for the first row that is bad; ``what`` may hold {value}, the cell's text."""
    bad = np.asarray(bad)
    if bad.any():
        at = int(np.argmax(bad))
        more = f" ({int(bad.sum())} rows in all)" if bad.sum() > 1 else ""
        what = what.replace("{value}", repr(table[column].iloc[at]))
        raise BadTable(f"column {column!r}, row {table.index[at]} (the header not counted){more}: {what}: {remedy}")


def counted(words: pd.Series) -> str:
    """'benign' (115 rows), 'malignant' (65 rows): the values of a column, the first eight of them."""
    counts = words.value_counts(sort=False)
    shown = ", ".join(f"{word!r} ({n} rows)" for word, n in counts.iloc[:8].items())
    return shown + (f" and {len(counts) - 8} more" if len(counts) > 8 else "")


def label_words(table: pd.DataFrame, column: str) -> tuple[pd.Series, list[str]]:
    """Labels in one spelling (1.0 is 1, TRUE is true), and notices about those that were merged."""
    refuse_first(table[column] == "", table, column, "the label is empty", "fill it in or drop the row")
    words, notices = one_spelling(table[column], f"column {column!r}")
    return words.map({word: _plain(word) for word in words.unique()}), notices


def _plain(word: str) -> str:
    return word[: word.index(".")] if re.fullmatch(r"[+-]?\d+\.0*", word) else word


def class_columns(table: pd.DataFrame, prob: Sequence[str], words: pd.Series) -> dict[str, tuple[list[str], list[str]]]:
    """For each model the columns of its classes, and the classes' names where the columns carry them, else [].

    A column by itself is the probability of class 1. Columns that are called as the labels are, all of them named,
    are the classes of one model; so are P_0, P_1 ... and P_benign, P_malignant ... for the stem P.
    """
    labels = words.unique().tolist()
    if len(prob) > 1 and all(name in table for name in prob) and _matches(labels, prob):
        return {"model": (list(prob), list(prob))}
    found = {}
    for name in prob:
        if name in table:
            found[name] = ([name], [])
            continue
        suffixes = [column[len(name) + 1 :] for column in table if column.startswith(f"{name}_") and column != name]
        numbered = sorted((s for s in suffixes if s.isdecimal()), key=int)
        if _matches(labels, suffixes) and not numbered:
            found[name] = ([f"{name}_{s}" for s in suffixes], suffixes)
        elif len(numbered) > 1 and numbered == [str(k) for k in range(1, len(numbered) + 1)] and "0" not in labels:
            found[name] = ([f"{name}_{s}" for s in numbered], numbered)  # classes counted from 1, in both places
        elif len(numbered) > 1:
            columns = [f"{name}_{s}" for s in numbered]
            if numbered != [str(k) for k in range(len(numbered))]:
                raise BadTable(f"columns {columns} have a gap: number the classes {name}_0, {name}_1 ... without one")
            found[name] = (columns, [])
        else:
            raise BadTable(_no_column(table, name, labels))
    return found


def _matches(labels: Sequence[str], names: Sequence[str]) -> bool:
    known = {name.casefold() for name in names}
    return len(known) > 1 and all(label.casefold() in known for label in labels)


def _no_column(table: pd.DataFrame, name: str, labels: list[str]) -> str:
    known = {column.casefold(): column for column in table}
    if len(labels) > 1 and all(label.casefold() in known for label in labels):
        options = " ".join(f"--prob {known[label.casefold()]}" for label in labels)
        hint = f"the columns {', '.join(labels)} carry the names of the labels: {options} (every class once)"
    else:
        hint = did_you_mean(name, table.columns) or "name the column of the probability with --prob"
    return f"column {name!r} is missing; the file has {listed(table.columns)}: {hint}"


def classes(
    table: pd.DataFrame, column: str, words: pd.Series, names: list[str], k: int, positive: str | None, source: str
) -> tuple[np.ndarray, list[str]]:
    """The class number (n,) of each row, and the names of the classes where they have some, else [].

    names: those of the columns (see `class_columns`); k: how many classes the probabilities have; source: their
    columns, for the message. positive: which of two labels is class 1.
    """
    if names:
        known = {name.casefold(): i for i, name in enumerate(names)}
        number = words.map(lambda word: known.get(word.casefold(), -1)).to_numpy()
        refuse_first(number < 0, table, column, f"{{value}} is none of the classes {names}", "add its column")
        return number.astype(np.int64), names
    found = words.unique().tolist()
    if positive is not None:
        positive = _plain(positive.strip())
        if positive not in found:
            hint = did_you_mean(positive, found) or "check --positive"
            raise BadTable(f"column {column!r} never holds {positive!r}, but {counted(table[column])}: {hint}")
        if len(found) > 2:
            raise BadTable(
                f"column {column!r} holds {len(found)} labels, {counted(table[column])}: --positive is for two; "
                "repair those that mean the same, or give a column of probabilities for every class, named after it"
            )
        return (words == positive).to_numpy().astype(np.int64), [
            *(word for word in found if word != positive),
            positive,
        ]
    plain = words.map({word: _BOOLEAN.get(word.casefold(), word) for word in found})
    numbers = pd.to_numeric(plain, errors="coerce").to_numpy(float)
    bad = ~(np.isfinite(numbers) & (numbers >= 0) & (np.floor(numbers) == numbers))
    if (bad.any() or (k == 2 and numbers.max() > 1)) and len(found) == 2:
        remedy = f"--positive {max(found)} or --positive {min(found)}, the one whose probability {source} holds"
        if not bad.any():
            remedy = f"--positive {max(found, key=float)}"
        raise BadTable(f"column {column!r}: labels are {min(found)} and {max(found)}: {remedy}")
    remedy = "number the classes 0, 1 ..., or give a column of probabilities for every class, named after it"
    refuse_first(bad, table, column, f"{{value}} is no class number (there are {counted(words)})", remedy)
    y = numbers.astype(np.int64)
    if y.min() == 1 and y.max() == k > 2:
        raise BadTable(
            f"column {column!r} counts the classes from 1 to {k}, {source} from 0: subtract 1 from the labels"
        )
    given = f"{source}: classes 0 to {k - 1} have columns" if k > 2 else f"{source} has the 2 classes 0 and 1"
    refuse_first(y >= k, table, column, f"{given}, this label says {{value}}", "add its column, or drop the rows")
    return y, []


def probabilities(table: pd.DataFrame, columns: Sequence[str], decimal: str | None) -> np.ndarray:
    """(n, k) in [0, 1] with rows summing to one; a single column is the probability of class 1."""
    values = [_unit(table, column, decimal) for column in columns]
    if len(columns) == 1:
        (of_class_1,) = values
        return np.stack([1 - of_class_1, of_class_1], axis=1)
    prob = np.stack(values, axis=1)
    total = prob.sum(1)
    digits = max(_decimals(table[column]) for column in columns)
    slack = max(0.01, len(columns) * 0.5 * 10.0**-digits) if digits else 0.01  # of numbers rounded each by itself
    wrong = np.abs(total - 1) > slack + 1e-9
    what = f"{columns[0]} to {columns[-1]} sum to {total[np.argmax(wrong)]:.3f}"
    remedy = "give one probability for every class, summing to 1"
    if total[wrong].size and (total[wrong] > 1).mean() > 0.5:
        remedy += " (answers to separate yes-or-no questions are audited one by one)"
    refuse_first(wrong, table, columns[0], what, remedy)
    return prob / total[:, None]


def _unit(table: pd.DataFrame, column: str, decimal: str | None) -> np.ndarray:
    """One column as numbers in [0, 1]."""
    cells = table[column]
    refuse_first(cells.str.strip() == "", table, column, "the probability is empty", "fill it in or drop the row")
    numbers = _numbers(cells, decimal)
    bad = np.isnan(numbers)
    if bad.any():
        refuse_first(bad, table, column, "{value} is no number", _remedy(cells[bad].iloc[0], decimal))
    outside = (numbers < -RESIDUE) | (numbers > 1 + RESIDUE)
    if outside.any():
        percent = numbers.min() >= 0 and numbers.max() <= 100 and np.quantile(numbers, 0.75) > 1
        remedy = "these look like percentages: divide them by 100" if percent else "not logits or percentages"
        if numbers.min() < -1:
            remedy = "these look like logits: apply the sigmoid (two classes) or softmax first"
        refuse_first(
            outside, table, column, f"{numbers[outside][0]:g} is outside [0, 1]", f"pass probabilities, {remedy}"
        )
    return np.clip(numbers, 0, 1)


def _numbers(cells: pd.Series, decimal: str | None) -> np.ndarray:
    """Cells as numbers, NaN where they are none. Decimal commas are read where told, or where no cell has a point."""
    comma = cells.str.contains(",", regex=False)
    if decimal == "," or (decimal is None and comma.any() and not cells.str.contains(".", regex=False).any()):
        single = cells.str.fullmatch(r"\s*[+-]?\d*,?\d+([eE][+-]?\d+)?\s*")
        cells = cells.str.replace(",", ".", regex=False).where(single, "no number")
    return pd.to_numeric(cells, errors="coerce").to_numpy(float)


def _remedy(cell: str, decimal: str | None) -> str:
    cell = cell.strip()
    if cell.endswith("%"):
        return "divide the percentages by 100 and drop the sign"
    if cell.startswith(("[", "(", "{", "array", "tensor")):
        return "this is a list: write a column for each class (p_0, p_1 ...) and pass --prob p"
    if re.fullmatch(r"[+-]?\d*,\d+", cell):
        return (
            "a decimal comma among decimal points: write one of them, or pass --decimal ,"
            if decimal is None
            else ("pass --decimal , where commas divide the decimals")
        )
    if re.fullmatch(r"[+-]?\d*\.\d+", cell):
        return "pass --decimal . where points divide the decimals"
    return "give every image a probability or drop the row"


def _decimals(cells: pd.Series) -> int:
    """The most digits after the point that any cell has; those of 1e-05 count as 5."""
    parts = cells.str.extract(r"[.,](\d*)(?:[eE]([+-]?\d+))?|[eE]([+-]?\d+)").fillna("")
    digits = parts[0].str.len().to_numpy()
    power = pd.to_numeric(parts[1].where(parts[1] != "", parts[2]), errors="coerce").fillna(0).to_numpy()
    return int(max(0, np.max(digits - power, initial=0)))
