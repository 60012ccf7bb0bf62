"""The claims of ``chapters/claims.yml``: read, their numbers looked up, and held against what the verdict says.

A claim is a statement of the literature, the cell of a chapter that examines it, a result and a verdict. No number of
a result is typed: it is looked up in ``chapters/results/`` under the address given in ``values``. Where a verdict rests
on numbers, ``holds`` says how ("gap.low > 0"), and ``null_rate`` how often that would come out by chance (`nulls`).
"""

import re
from collections import Counter
from itertools import pairwise
from operator import ge, gt, le, lt
from pathlib import Path
from typing import NamedTuple

import yaml
from pybtex.database import parse_file

from tools import ROOT
from tools.claims import places
from tools.write import results

VERDICTS = {
    "reproduced": ("●", "our numbers show it; an interval, where there is one, excludes zero"),
    "partly": ("◐", "our numbers show a part of it, or show it on some of our data"),
    "not at this scale": ("○", "our small images, networks and few hospitals do not show it, or leave it in the noise"),
    "contradicted": ("✕", "our numbers point the other way, and the interval excludes zero"),
    "open": ("?", "the runs that could decide are not finished, or what there is comes from an earlier protocol"),
}
PAST_PROTOCOLS = {
    0: "whose networks had not finished learning and whose learning rates were searched for each method apart"
}
COMPARISONS = {"<": lt, "<=": le, ">": gt, ">=": ge}
FIELDS = {"id", "title", "statement", "sources", "chapter", "cell", "values", "result", "verdict", "because"}
OPTIONAL = {"holds", "null_rate", "figure", "protocol", "headline"}


class Value(NamedTuple):
    """A printed number or interval, as text and as numbers (NaN where there is no interval)."""

    text: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


class Claim(NamedTuple):
    """One claim of claims.yml, with its values looked up; ``cells`` are those it rests on, the main one first.

    ``null``: the field ``null_rate``, a reason why there is none, or how to find it (`nulls.of`). ``figure``: the id of
    the cell that draws it, where it is not the nearest one. ``protocol``: that of the runs, where it is a past one.
    """

    id: str
    question: str
    title: str
    statement: str
    sources: list[str]
    cells: list[tuple[str, str]]
    values: dict[str, Value]
    result: str
    holds: list[str]
    verdict: str
    because: str
    headline: bool = False
    null: str | dict | None = None
    figure: str | None = None
    protocol: int | None = None

    def sentence(self) -> str:
        """The result, its numbers filled in; first, where they are of a past protocol, that they are."""
        text = self.result.format(**{name: value.text for name, value in self.values.items()})
        if self.protocol is None:
            return text
        return f"From runs of protocol {self.protocol}, {PAST_PROTOCOLS[self.protocol]}: {text[0].lower()}{text[1:]}"


def load(root: Path = ROOT) -> list[Claim]:
    """The claims, with their values. ValueError, naming the claim, where one is incomplete or points to nothing."""
    groups = yaml.safe_load((root / "chapters" / "claims.yml").read_text(encoding="utf-8"))
    return [_claim(entry, group["question"], root) for group in groups for entry in group["claims"]]


def _claim(entry: dict, question: str, root: Path) -> Claim:
    name = entry.get("id", "?")
    missing, unknown = FIELDS - set(entry), set(entry) - FIELDS - OPTIONAL
    if missing or unknown:
        raise ValueError(f"claim {name!r}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    cells = [(entry["chapter"], entry["cell"])]
    values = {}
    for key, address in entry["values"].items():
        place = (address.get("chapter", entry["chapter"]), address.get("cell", entry["cell"]))
        if place not in cells:
            cells.append(place)
        try:
            values[key] = look_up(root, *place, address)
        except (ValueError, OSError) as error:
            raise ValueError(f"claim {name!r}, value {key!r}: {error}") from error
    texts = {key: " ".join(entry[key].split()) for key in ("statement", "result", "because")}
    return Claim(
        id=name,
        question=question,
        title=entry["title"],
        sources=entry["sources"],
        cells=cells,
        values=values,
        holds=entry.get("holds", []),
        verdict=entry["verdict"],
        headline=entry.get("headline", False),
        null=entry.get("null_rate"),
        figure=entry.get("figure"),
        protocol=entry.get("protocol"),
        **texts,
    )


def look_up(root: Path, chapter: str, cell: str, address: dict) -> Value:
    """The value at an address: a part of the row's text that only one row has, the column, and which number of it.

    ``low`` and ``high`` name the columns of an interval that is printed apart. ValueError where nothing is found, or
    more than one row.
    """
    entries = [entry for entry in results.read(root / "chapters" / "results" / f"{chapter}.csv") if entry.cell == cell]
    exact = [entry for entry in entries if entry.row == address["row"]]
    entries = exact or [entry for entry in entries if address["row"] in entry.row]
    if len({(entry.output, entry.row) for entry in entries}) != 1:
        raise ValueError(
            f"{len(entries)} entries of {chapter}, cell {cell}, have the row {address['row']!r}: need one row"
        )
    printed = {entry.column: entry.value for entry in entries}
    try:
        number = parse(printed[str(address["column"])], address.get("nth"))
        if "low" not in address:
            return number
        low, high = (parse(printed[str(address[end])]) for end in ("low", "high"))
    except KeyError as error:
        raise ValueError(f"no column {error} in the row {address['row']!r}: there are {sorted(printed)}") from error
    return Value(f"{number.text} ({low.text} to {high.text})", number.value, low.value, high.value)


def parse(printed: str, nth: int | None = None) -> Value:
    """The number (or the nth of several) in a printed text, and its interval. ValueError where there is none."""
    number = results.NUMBER
    found = list(re.finditer(rf"(?<![\w.])({number})(?: \(({number}) to ({number})[^)]*\)?)?", printed))
    if nth is None and len(found) > 1:
        raise ValueError(f"{printed!r} holds {len(found)} numbers: say which with nth")
    if len(found) < (nth or 1):
        raise ValueError(f"{printed!r} holds {len(found)} numbers, not {nth or 1}")
    match = found[(nth or 1) - 1]
    value, low, high = (None if text is None else _number(text) for text in match.groups())
    if low is None:
        return Value(match[1], value)
    return Value(f"{match[1]} ({match[2]} to {match[3]})", value, low, high)


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").rstrip("% "))


def problems(claims: list[Claim], root: Path = ROOT) -> list[str]:
    """What is wrong with the claims: unknown verdicts, sources or cells, typed numbers, verdicts that do not hold."""
    found = [f"the id {name!r} is used twice" for name, n in Counter(claim.id for claim in claims).items() if n > 1]
    known = bibliography(root)
    for claim in claims:
        wrong = [] if claim.verdict in VERDICTS else [f"unknown verdict {claim.verdict!r}"]
        wrong += [f"no source {key!r} in references.bib" for key in claim.sources if key not in known]
        wrong += [] if claim.sources else ["no source"]
        drawn = [(claim.cells[0][0], claim.figure)] if claim.figure else []
        wrong += [
            f"no cell {cell} in {chapter}"
            for chapter, cell in claim.cells + drawn
            if not places.has(root, chapter, cell)
        ]
        names = set(re.findall(r"\{(\w+)\}", claim.result))
        wrong += [f"no value {name!r} for the result" for name in names - set(claim.values)]
        used = names | set(re.findall(r"[a-z_]\w*", " ".join(claim.holds)))
        wrong += [f"the value {name!r} is not used" for name in set(claim.values) - used]
        for text in (re.sub(r"\{\w+\}", "", claim.result), claim.because):
            wrong += [f"a typed number: {text[:60]!r}"] if re.search(r"\d+\.\d|\d ?%|\d+ of \d", text) else []
        wrong += [f"does not hold: {rule}" for rule in claim.holds if not holds(rule, claim.values)]
        if claim.protocol is not None:
            wrong += [] if claim.protocol in PAST_PROTOCOLS else [f"protocol {claim.protocol} is none of the past ones"]
            wrong += [] if claim.verdict == "open" else [f"rests on protocol {claim.protocol}: its verdict is 'open'"]
        found += [f"{claim.id}: {what}" for what in wrong]
    return found


def holds(rule: str, values: dict[str, Value]) -> bool:
    """Whether a chain of comparisons such as ``0 < gap.low`` or ``b.value > a.value >= 0`` is true."""
    parts = re.split(r"\s*(<=|>=|<|>)\s*", rule.strip())
    operands = [_operand(part, values) for part in parts[::2]]
    if len(operands) < 2:
        raise ValueError(f"{rule!r} compares nothing: write for example 'gap.low > 0'")
    return all(COMPARISONS[sign](*pair) for sign, pair in zip(parts[1::2], pairwise(operands), strict=True))


def _operand(text: str, values: dict[str, Value]) -> float:
    name, _, end = text.partition(".")
    if name in values:
        return getattr(values[name], end or "value")
    return float(text)


def bibliography(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """Of every key in references.bib: the name a text uses ("Yu et al. 2022") and the address of the work."""
    works = {}
    for key, entry in parse_file(root / "chapters" / "references.bib").entries.items():
        persons = (" ".join((*person.prelast_names, *person.last_names)) for person in entry.persons["author"])
        names = [name.strip("{}") for name in persons]
        label = names[0] if len(names) == 1 else " & ".join(names) if len(names) == 2 else f"{names[0]} et al."
        if "doi" in entry.fields:
            address = f"https://doi.org/{entry.fields['doi']}"
        elif "eprint" in entry.fields:
            address = f"https://arxiv.org/abs/{entry.fields['eprint']}"
        else:
            address = entry.fields.get("url", "")
        works[key] = (f"{label} {entry.fields['year']}", address)
    return works
