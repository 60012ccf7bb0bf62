"""What the pages of audit, embeddings and comparisons share: numbers in words, charts, and how a page is filled.

``parts.html.j2`` draws them; Jinja escapes every name that comes from a file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


@cache
def template(package: str, name: str) -> Template:
    """A template of a package; what it includes or imports may also be one of the audit's, as its style is."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader("medgen_utils.audit", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "interval": interval, "percent": percent, "p": p_value, "of": counted}
    return environment.get_template(name)


def number(value: float | None, digits: int = 3) -> str:
    """With three decimals and a true minus sign."""
    return "not defined" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")


def interval(row: dict, low: str = "low", high: str = "high", value: str = "value") -> str:
    """The value with its ends, where it has them."""
    if row[low] is None:
        return number(row[value])
    return f"{number(row[value])} ({number(row[low])} to {number(row[high])})"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return "not defined" if value is None else f"{100 * value:.{digits}f} %"


def p_value(value: float | None) -> str:
    """Never 0: below a thousandth only that."""
    return "" if value is None else "< 0.001" if value < 0.001 else number(value)


def counted(n: int, thing: str) -> str:
    """1 domain, 2 domains."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def forest(
    groups: Sequence[tuple[str, Sequence[tuple[int, dict]]]],
    marks: Sequence[float],
    what: str,
    few: Collection[str] = (),
) -> dict:
    """Rows of intervals on one scale: positions in percent. ``marks`` are dashed vertical lines.

    groups: the label of a row with its lines, each the number of a colour and a dict of value, low, high (None where
    not defined). ``few``: labels of rows that are not judged.
    """
    numbers = [row[key] for _, rows in groups for _, row in rows for key in ("value", "low", "high")]
    numbers = [value for value in numbers if value is not None] + list(marks)
    low, high = min(numbers), max(numbers)
    pad = 0.04 * (high - low) or 0.05
    low, high = low - pad, high + pad

    def at(value: float | None) -> str | None:
        return None if value is None else f"{100 * (value - low) / (high - low):.2f}%"

    rows = []
    for label, items in groups:
        lines = [
            {"y": 12 + 18 * i, "colour": colour % 6, "words": _words(row), "number": interval(row)}
            | {end: at(row[end]) for end in ("value", "low", "high")}
            for i, (colour, row) in enumerate(items)
        ]
        words = f"{label}: {what} " + "; ".join(line["words"] for line in lines)
        height = 18 * len(items) + 6
        rows.append({"label": label, "few": label in few, "height": height, "lines": lines, "words": words})
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 6)
    ticks = [i * step for i in range(int(low // step), int(high // step) + 2) if low <= i * step <= high]
    return {"rows": rows, "marks": [at(m) for m in marks], "ticks": [(at(t), number(t, 2)) for t in ticks]}


def _words(row: dict) -> str:
    """What the chart says to those who do not see it; beside the chart only the number has room."""
    if row.get("verdict") == "undefined":
        return f"not defined: {row['reason']}"
    few = ", too few patients to judge" if row.get("verdict") == "too few patients" else ""
    return interval(row) + few
