"""Where the images of each domain come from, and which domains stand in one hospital. Chapter: generalization_gap.

A claim about hospitals needs hospitals as its units: two scanners of one hospital share patients, staff and labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

COLUMNS = (
    "hospital", "country", "scanner", "years", "population", "tissue", "species", "grader", "label_definition",
)  # fmt: skip
NOT_STATED = "not stated"  # the publisher does not say; "" where nobody filled it in


def provenance(rows: Mapping[str, Mapping[str, str]], **common: str) -> pd.DataFrame:
    """A table with a row a domain and the `COLUMNS`; index: the domain names.

    ``rows`` maps a domain name to what is known of it, ``common`` holds what is the same for all; the rest is "".
    ValueError for a column that is none of `COLUMNS`.
    """
    unknown = sorted(({key for row in rows.values() for key in row} | set(common)) - set(COLUMNS))
    if unknown:
        raise ValueError(f"provenance has no columns {unknown}: choose from {', '.join(COLUMNS)}")
    known = [dict.fromkeys(COLUMNS, "") | common | dict(row) for row in rows.values()]
    return pd.DataFrame(known, columns=list(COLUMNS), index=pd.Index(list(rows), name="domain", dtype=object))


def sites(table: pd.DataFrame) -> dict[str, str]:
    """Domain name -> site: the hospital, or the domain itself where its hospital is not known."""
    hospitals = zip(table.index, table["hospital"], strict=True)
    return {name: name if hospital in ("", NOT_STATED) else hospital for name, hospital in hospitals}


def distinct_sites(
    table: pd.DataFrame, names: Sequence[str] | None = None, by: Literal["hospital", "scanner"] = "hospital"
) -> tuple[str, ...]:
    """The domains ``names`` (all of ``table`` where None) as units of a comparison: their names, checked.

    ValueError where two of them stand in one hospital, unless ``by="scanner"`` says that scanners are meant;
    for a name that is not in the table; and for another ``by``. Chapter: evaluation_protocols.
    """
    if by not in ("hospital", "scanner"):
        raise ValueError(f'by={by!r}: choose "hospital" or "scanner"')
    names = tuple(table.index if names is None else names)
    unknown = [name for name in names if name not in table.index]
    if unknown:
        raise ValueError(f"no domains {unknown}: choose from {', '.join(map(str, table.index))}")
    if by == "hospital":
        first: dict[str, str] = {}
        of = sites(table)
        for name in names:
            other = first.setdefault(of[name], name)
            if other != name:
                raise ValueError(
                    f"{other!r} and {name!r} stand in one place ({of[name]}) and are not two hospitals: "
                    'pool them, keep one, or say by="scanner"'
                )
    return names
