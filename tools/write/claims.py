"""Write the page of claims from ``chapters/claims.yml``, their summary on the home page, and a line of links to them in
the card of each chapter: ``make write``.

A claim is a statement of the literature, the cell of a chapter that examines it, a result and a verdict. No number of
a result is typed: it is looked up in ``chapters/results/`` under the address given in ``values``. Where a verdict rests
on numbers, ``holds`` says how ("gap.low > 0").
"""

import json
import re
from collections import Counter
from itertools import pairwise
from operator import ge, gt, le, lt
from pathlib import Path
from typing import NamedTuple

import yaml
from pybtex.database import parse_file

from tools import ROOT
from tools.write import in_step, results

VERDICTS = {
    "reproduced": ("●", "our numbers show it; an interval, where there is one, excludes zero"),
    "partly": ("◐", "our numbers show a part of it, or show it on some of our data"),
    "not at this scale": ("○", "our small images, networks and few hospitals do not show it, or leave it in the noise"),
    "contradicted": ("✕", "our numbers point the other way, and the interval excludes zero"),
}
BEGIN, END = "% claims: written by `make write`, do not edit", "% claims: end"
COMPARISONS = {"<": lt, "<=": le, ">": gt, ">=": ge}
FIELDS = {"id", "title", "statement", "sources", "chapter", "cell", "values", "result", "holds", "verdict", "because"}


class Value(NamedTuple):
    """A printed number or interval, as text and as numbers (NaN where there is no interval)."""

    text: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


class Claim(NamedTuple):
    """One claim of claims.yml, with its values looked up; ``cells`` are those it rests on, the main one first."""

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
    headline: bool

    def sentence(self) -> str:
        """The result, its numbers filled in."""
        return self.result.format(**{name: value.text for name, value in self.values.items()})


def load(root: Path = ROOT) -> list[Claim]:
    """The claims, with their values. ValueError, naming the claim, where one is incomplete or points to nothing."""
    groups = yaml.safe_load((root / "chapters" / "claims.yml").read_text(encoding="utf-8"))
    return [_claim(entry, group["question"], root) for group in groups for entry in group["claims"]]


def _claim(entry: dict, question: str, root: Path) -> Claim:
    name = entry.get("id", "?")
    missing, unknown = FIELDS - {"holds"} - set(entry), set(entry) - FIELDS - {"headline"}
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
        wrong += [f"no cell {cell} in {chapter}" for chapter, cell in claim.cells if not _has_cell(root, chapter, cell)]
        names = set(re.findall(r"\{(\w+)\}", claim.result))
        wrong += [f"no value {name!r} for the result" for name in names - set(claim.values)]
        used = names | set(re.findall(r"[a-z_]\w*", " ".join(claim.holds)))
        wrong += [f"the value {name!r} is not used" for name in set(claim.values) - used]
        for text in (re.sub(r"\{\w+\}", "", claim.result), claim.because):
            wrong += [f"a typed number: {text[:60]!r}"] if re.search(r"\d+\.\d|\d ?%|\d+ of \d", text) else []
        wrong += [f"does not hold: {rule}" for rule in claim.holds if not holds(rule, claim.values)]
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


def _has_cell(root: Path, chapter: str, cell: str) -> bool:
    path = root / "chapters" / f"{chapter}.ipynb"
    return path.exists() and any(found.get("id") == cell for found in _notebook(path)["cells"])


def _notebook(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


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


def section(root: Path, chapter: str, cell: str) -> str:
    """The nearest heading above a cell, without its Markdown."""
    heading = ""
    for entry in _notebook(root / "chapters" / f"{chapter}.ipynb")["cells"]:
        if entry["cell_type"] == "markdown":
            heading = (re.findall(r"^#{1,3} (.+)$", "".join(entry["source"]), re.MULTILINE) or [heading])[-1]
        if entry.get("id") == cell:
            return heading
    raise ValueError(f"{chapter} has no cell {cell}")


def mark(verdict: str) -> str:
    """The sign of a verdict, which a screen reader skips, and its words."""
    return f'<span aria-hidden="true">{VERDICTS[verdict][0]}</span>&nbsp;{verdict.capitalize()}'


def page(claims: list[Claim], root: Path = ROOT) -> str:
    """The page of claims, in MyST Markdown."""
    works = bibliography(root)
    counts = Counter(claim.verdict for claim in claims)
    lines = [
        "# Claims",
        "",
        "% Written by `make write` from claims.yml and results/: edit those.",
        "",
        "A book that repeats what others found should say what it could repeat.",
        f"Here are the {len(claims)} claims that our chapters examine, in our words: a few of the abstract of the",
        "[review](references.md#ref-matta2024), more of the literature that the chapters cite.",
        "Each names its source, the cell that examines it, the result with its numbers, and a verdict with its reason.",
        "",
        "The verdicts are about this book's experiments: images of 28 pixels, small networks trained from scratch,",
        "four to six hospitals, and a [synthetic clinic](datasets.md) whose causes we built in.",
        "They say nothing about how good a cited study is.",
        "That a mechanism shows on the clinic means that it can happen, and not how often it does.",
        "",
    ]
    for verdict, (_, meaning) in VERDICTS.items():
        lines += [f"{mark(verdict)}: {counts[verdict]}", f": {meaning.capitalize()}.", ""]
    lines += [
        "Every number of a result is read from the outputs stored in the chapters.",
        "The tests of the book fail when it is not, when a claim points to a cell that does not exist, or when the",
        "condition of a verdict no longer holds.",
        "",
    ]
    question = ""
    for claim in claims:
        if claim.question != question:
            question = claim.question
            lines += [f"## {question}", ""]
        sources = "; ".join(
            f"[{works[key][0]}](references.md#ref-{key}), {_outside(works[key][1])}" for key in claim.sources
        )
        cells = [f"[{_title(root, c)}: {section(root, c, i)}]({c}.ipynb#cell-{i})" for c, i in claim.cells]
        lines += [
            f"(claim-{claim.id})=",
            f"### {claim.title}",
            "",
            ":::{card}",
            f"{claim.statement} ({sources})",
            "",
            f"**What we saw.** {claim.sentence()}",
            "",
            f"**{mark(claim.verdict)}.** {claim.because}",
            "+++",
            f"Examined in {'; '.join(cells)}.",
            ":::",
            "",
        ]
    return "\n".join(lines)


def _outside(address: str) -> str:
    """A link to the work itself."""
    kinds = {"https://doi.org/": "doi", "https://arxiv.org/": "arXiv", "https://openreview.net/": "OpenReview"}
    return f"[{next((kind for start, kind in kinds.items() if address.startswith(start)), 'paper')}]({address})"


def _title(root: Path, chapter: str) -> str:
    """The chapter's title up to a colon."""
    cells = _notebook(root / "chapters" / f"{chapter}.ipynb")["cells"]
    return re.search(r"^# ([^:\n]+)", "".join(cells[0]["source"]), re.MULTILINE)[1].strip()


def summary(claims: list[Claim]) -> str:
    """The part of the home page about claims: how many of each verdict, and the headlines."""
    counts = Counter(claim.verdict for claim in claims)
    tally = ", ".join(mark(verdict).replace("&nbsp;", f"&nbsp;{counts[verdict]} ").lower() for verdict in VERDICTS)
    review = sum("matta2024" in claim.sources for claim in claims)
    lines = [
        f"The chapters examine {len(claims)} claims of the literature, {review} of them from the review's abstract,",
        f"at the scale of small images and small networks: {tally}.",
        "",
    ]
    for claim in claims:
        if claim.headline:
            title = f"[{claim.title}](claims.md#claim-{claim.id})"
            lines.append(f"- {title}: {mark(claim.verdict).lower()}. {claim.sentence()}")
    lines += ["", "All of them, with source, cell, numbers and reason: [Claims](claims.md)."]
    return "\n".join(lines)


def with_links(notebook: dict, claims: list[Claim]) -> dict:
    """A chapter whose card, in its first cell, names these claims; the same notebook where it has no card."""
    source = "".join(notebook["cells"][0]["source"])
    source = re.sub(r"\*\*Claims\.\*\* .*\n\n", "", source)
    links = "; ".join(f"[{claim.title}](claims.md#claim-{claim.id})" for claim in claims)
    head, card, tail = source.rpartition("\n</div>")
    if claims and card:
        source = f"{head}\n**Claims.** Examined here, each with a verdict: {links}.\n{card}{tail}"
    first = notebook["cells"][0] | {"source": source.splitlines(keepends=True)}
    return notebook | {"cells": [first, *notebook["cells"][1:]]}


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring page and summary in step with claims.yml; the names of those that were not. ``write=False``: no change."""
    claims = load(root)
    wrong = problems(claims, root)
    if wrong:
        raise ValueError("chapters/claims.yml:\n  " + "\n  ".join(wrong))
    home = root / "chapters" / "index.md"
    before = home.read_text(encoding="utf-8")
    around = re.compile(rf"(?<={re.escape(BEGIN)}\n\n).*?(?=\n\n{re.escape(END)})", re.DOTALL)
    if not around.search(before):
        raise ValueError(f"{home.name} has no place for the claims: restore the lines {BEGIN!r} and {END!r}")
    wanted = {root / "chapters" / "claims.md": page(claims, root), home: around.sub(lambda _: summary(claims), before)}
    for path in sorted(root.glob("chapters/*.ipynb")):
        mine = [claim for claim in claims if claim.cells[0][0] == path.stem]
        notebook = _notebook(path)
        linked = with_links(notebook, mine)
        if linked != notebook:
            wanted[path] = json.dumps(linked, indent=1, ensure_ascii=False) + "\n"
    return in_step.write_changed(wanted, root, write)
