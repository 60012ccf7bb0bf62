"""Tables as people have them, read as text. Used by `audit` and `data.own_images`."""

from medgen_utils.tables.read import data_columns, read_table, require
from medgen_utils.tables.words import (
    Ask,
    BadTable,
    as_argument,
    as_option,
    did_you_mean,
    listed,
    one_spelling,
    shown,
    tidy,
    unknown_words,
)

__all__ = [
    "Ask", "BadTable", "as_argument", "as_option", "data_columns", "did_you_mean", "listed", "one_spelling",
    "read_table", "require", "shown", "tidy", "unknown_words",
]  # fmt: skip
