"""How often the condition of a claim's verdict would hold if there were nothing to see: its null rate.

The field ``null_rate`` of a claim is one of four things.

* A reason, in words, why there is no null rate.
* ``{draw: {gain: 0, wins: 0.05 of studies}}``: which numbers of the condition are drawn. A number, or the name of
  another value: normal around it, as wide as the printed interval says. ``P of N``: how many of N (a number or a
  value) come out with chance P each. All others stay as printed. Draws are independent of each other, which numbers of
  one experiment are not: the rate is a rough one.
* ``{board: winners_change}``: a statement of `boards` about the evidence store, on boards of nothing.
* The address of a rate that a chapter prints, as in ``values``: ``{row: ..., column: ...}``, with cell and chapter.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools import ROOT
from tools.claims import boards
from tools.claims.ledger import Claim, Value, holds, look_up

DRAWS = 4_000
HALF = 1.96  # standard errors from the middle of a 95 % interval to its end


class Null(NamedTuple):
    """A null rate (None where there is none) and how it was found, or why it was not."""

    rate: float | None
    words: str

    def sentence(self) -> str:
        """As the page says it; "less than 1 %" instead of "0 %"."""
        if self.rate is None:
            return f"**No null rate:** {self.words}"
        percent = (
            "less than 1 %" if self.rate < 0.005 else "more than 99 %" if self.rate > 0.995 else f"{self.rate:.0%}"
        )
        return f"**Null rate: {percent.replace('%', ' %').replace('  ', ' ')}**, {self.words}"


def of(claim: Claim, root: Path = ROOT) -> Null:
    """The null rate of a claim. ValueError, naming the claim, where its field ``null_rate`` cannot be read."""
    try:
        return _of(claim, root)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"claim {claim.id!r}, null_rate: {error}") from error


def _of(claim: Claim, root: Path) -> Null:
    null = claim.null
    if null is None or isinstance(null, str):
        words = " ".join((null or "not stated yet").split())
        return Null(None, words if words.endswith(".") else f"{words}.")
    if set(null) == {"draw"}:
        return Null(drawn(claim.holds, claim.values, null["draw"]), _words(null["draw"]))
    if set(null) == {"board"}:
        return Null(boards.rate(null["board"]), "boards on which every method is ERM with other seeds.")
    if {"row", "column"} <= set(null):
        place = (null.get("chapter", claim.cells[0][0]), null.get("cell", claim.cells[0][1]))
        value = look_up(root, *place, null)
        share = value.value / 100 if value.text.rstrip(")").endswith("%") else value.value
        return Null(share, f"computed in [the chapter]({place[0]}.ipynb#cell-{place[1]}).")
    raise ValueError(f"{null}: give a reason, or 'draw', or 'board', or the row and column of a printed rate")


def drawn(
    rules: list[str], values: Mapping[str, Value], draws: Mapping[str, object], n: int = DRAWS, seed: int = 0
) -> float:
    """The share of ``n`` draws in which all ``rules`` hold; ``draws`` says which values are drawn, and how.

    ValueError for a value that is not there or not in the rules, or that has no interval to be drawn with.
    """
    used = set(re.findall(r"[a-z_]\w*", " ".join(rules)))
    if lost := sorted(set(draws) - (used & set(values))):
        raise ValueError(f"{lost} are not in the condition {rules}: nothing would change by drawing them")
    random = np.random.default_rng(seed)
    columns = {name: _draw(name, rule, values, n, random) for name, rule in draws.items()}
    met = 0
    for k in range(n):
        mine = {**values, **{name: column[k] for name, column in columns.items()}}
        met += all(holds(rule, mine) for rule in rules)
    return met / n


def _draw(name: str, rule: object, values: Mapping[str, Value], n: int, random: np.random.Generator) -> list[Value]:
    chance, of_them, number = str(rule).partition(" of ")
    if of_them:
        counts = random.binomial(round(_number(number, values)), _number(chance, values), size=n)
        return [Value("", float(count)) for count in counts]
    value, middle = values[name], _number(str(rule), values)
    below, above = value.value - value.low, value.high - value.value
    if np.isnan(below + above):
        raise ValueError(f"{name} ({value.text}) has no interval, so nobody knows how wide to draw it")
    centres = middle + random.normal(size=n) * (below + above) / 2 / HALF
    return [Value("", centre, centre - below, centre + above) for centre in centres]


def _number(text: str, values: Mapping[str, Value]) -> float:
    return values[text].value if text in values else float(text)


def _words(draws: Mapping[str, object]) -> str:
    counts = [" of " in str(rule) for rule in draws.values()]
    parts = [] if all(counts) else ["differences drawn around nothing"]
    parts += ["counts drawn by chance alone"] if any(counts) else []
    return f"{' and '.join(parts)}."
