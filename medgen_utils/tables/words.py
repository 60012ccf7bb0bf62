"""Names as people write them, and how messages speak of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

import pandas as pd

# Controls, marks that turn the direction of writing, and blanks without width: a name looks the same without them.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
# What stands in a column of patients where nobody knows the patient.
UNKNOWN = {"unknown", "unk", "na", "n/a", "nan", "none", "null", "missing", "unspecified", "anonymous", "anonymized"}
UNKNOWN |= {"anonymised", "-", "--", "?", ".", "0", "-1", "99", "999", "9999"}

Ask = Callable[[str, str], str]


class BadTable(ValueError):
    """The table cannot be used as it is; the message says where and what to do."""


def as_option(name: str, value: str) -> str:
    """How a remedy names a setting on the command line: --encoding latin-1."""
    return f"--{name} {value}"


def as_argument(name: str, value: str) -> str:
    """How a remedy names a setting in Python: encoding='latin-1'."""
    return f"{name}={value.strip(chr(39))!r}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'did you mean north?', or '' where nothing is near; capitals and blanks count little."""
    known = list(dict.fromkeys(map(str, known)))
    plain = {tidy(word).casefold(): word for word in known}
    near = get_close_matches(tidy(name).casefold(), plain, 2, cutoff=0.65)  # .6 would offer split for hospital
    same = [word for word in near if word == tidy(name).casefold()] or near
    return f"did you mean {' or '.join(repr(plain[word]) for word in same)}?" if near else ""


def tidy(word: str) -> str:
    """A name without the blanks around it, doubled blanks and unseen marks, its letters composed (NFC)."""
    if word.isascii() and word.isalnum():
        return word
    return " ".join(unicodedata.normalize("NFC", _UNSEEN.sub("", word)).split())


def shown(word: str) -> str:
    """A name in quotation marks, the middle of a very long one left out."""
    text = repr(word)
    return text if len(text) <= 60 else f"{text[:40]} ... {text[-10:]}"


def listed(names: Iterable[str], most: int = 20) -> str:
    """['a', 'b'] and 3 more: the first names of many, very long ones shortened."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"[{', '.join(map(shown, names[:most]))}]{more}"


def one_spelling(values: pd.Series, what: str) -> tuple[pd.Series, list[str]]:
    """Names brought to one spelling, and what to tell: which were merged, which differ in capitals only."""
    found = values.unique().tolist()
    plain = [tidy(word) for word in found]
    notices = [
        f"{what}: {_apart(words)} differ only in blanks, unseen characters or the coding of letters: read as one"
        for words in _shared(found, plain)
    ]
    distinct = list(dict.fromkeys(plain))
    notices += [
        f"{what}: {_apart(words)} differ only in capitals: are they one? They are kept apart"
        for words in _shared(distinct, [word.casefold() for word in distinct])
    ]
    if len(notices) > 5:
        notices = [*notices[:5], f"{what}: {len(notices) - 5} more names differ as little"]
    return values if found == plain else values.map(dict(zip(found, plain, strict=True))), notices


def _shared(words: list[str], keys: list[str]) -> list[list[str]]:
    """The words that have one key, where there is more than one."""
    if len(set(keys)) == len(words):
        return []
    together: dict[str, list[str]] = {}
    for word, key in zip(words, keys, strict=True):
        together.setdefault(key, []).append(word)
    return [group for group in together.values() if len(group) > 1]


def _apart(words: Sequence[str]) -> str:
    texts = [shown(word) for word in words[:4]]
    if len({unicodedata.normalize("NFC", text) for text in texts}) < len(texts):
        texts = [ascii(word) for word in words[:4]]  # é in one or two characters looks the same
    return " and ".join(texts)


def unknown_words(units: pd.Series) -> list[tuple[str, int]]:
    """Names of patients that may mean that nobody knows them, with their rows, where they stand in several."""
    counts = units.value_counts(sort=False)
    rows = [(str(word), int(n)) for word, n in counts.items() if n > 1 and str(word).casefold() in UNKNOWN]
    usual = counts.median()
    return [(word, n) for word, n in rows if not word.lstrip("-").isdecimal() or n > max(5, 5 * usual)]
