"""Write the page of claims from ``chapters/claims.yml``, their summary on the home page, and a line of links to them in
the card of each chapter: ``make write``.

On the page a reader picks verdicts: plain radio buttons and a style (custom.css), no script. Without the style, on
paper and in the EPUB, all claims are shown.
"""

import json
import re
from collections import Counter
from pathlib import Path

from tools import ROOT
from tools.claims import nulls, places
from tools.claims.ledger import VERDICTS, Claim, bibliography, load, problems
from tools.write import in_step

BEGIN, END = "% claims: written by `make write`, do not edit", "% claims: end"


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
        "three to six hospitals, and a [synthetic clinic](datasets.md) whose causes we built in.",
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
        "A **null rate** says how often that condition would hold if there were nothing to see: if every difference",
        "were noise of the width that was measured, and every count a throw of coins.",
        "*Reproduced* is worth something where it is small.",
        "It is large by nature for *not at this scale*, which says that nothing was seen, and warns that not seeing an",
        "effect is no sign that there is none.",
        "It takes the numbers of a claim as independent, which those of one experiment are not, so read it as a size.",
        "A demonstration on the clinic, whose cause we set by hand, has no null rate.",
        "",
        *chooser(claims),
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
        cells = [f"[{places.title(root, c)}: {places.section(root, c, i)}]({c}.ipynb#cell-{i})" for c, i in claim.cells]
        chapter = claim.cells[0][0]
        shown = [(chapter, claim.figure)] if claim.figure else [(c, places.figure(root, c, i)) for c, i in claim.cells]
        drawn = next((f" See [its figure]({c}.ipynb#cell-{i})." for c, i in shown if i), "")
        lines += [
            f"(claim-{claim.id})=",
            f"### {claim.title}",
            "",
            ":::{card}",
            f":class-card: mg-claim mg-is-{name_of(claim.verdict)}",
            "",
            f"{claim.statement} ({sources})",
            "",
            f"**What we saw.** {claim.sentence()}",
            "",
            f"**{mark(claim.verdict)}.** {claim.because}",
            "",
            nulls.of(claim, root).sentence(),
            "+++",
            f"Examined in {'; '.join(cells)}.{drawn}",
            ":::",
            "",
        ]
    return "\n".join(lines)


def name_of(verdict: str) -> str:
    """A verdict in the names of style classes."""
    return verdict.replace(" ", "-")


def chooser(claims: list[Claim]) -> list[str]:
    """The radio buttons that pick claims by their verdict, in HTML; custom.css hides what is not picked."""
    counts = Counter(claim.verdict for claim in claims)
    picks = [("all", "All", len(claims))] + [(name_of(v), v.capitalize(), counts[v]) for v in VERDICTS if counts[v]]
    parts = [
        f'<label><input type="radio" name="mg-verdict" id="mg-show-{name}" autocomplete="off"'
        f"{' checked' if name == 'all' else ''}> {words} ({count})</label>"
        for name, words, count in picks
    ]
    return ['<fieldset class="mg-verdicts"><legend>Show the claims whose verdict is</legend>', *parts, "</fieldset>"]


def _outside(address: str) -> str:
    """A link to the work itself."""
    kinds = {"https://doi.org/": "doi", "https://arxiv.org/": "arXiv", "https://openreview.net/": "OpenReview"}
    return f"[{next((kind for start, kind in kinds.items() if address.startswith(start)), 'paper')}]({address})"


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
    text = in_step.between(home.read_text(encoding="utf-8"), BEGIN, END, summary(claims), home.name)
    wanted = {root / "chapters" / "claims.md": page(claims, root), home: text}
    for path in sorted(root.glob("chapters/*.ipynb")):
        mine = [claim for claim in claims if claim.cells[0][0] == path.stem]
        notebook = places.notebook(root, path.stem)
        linked = with_links(notebook, mine)
        if linked != notebook:
            wanted[path] = json.dumps(linked, indent=1, ensure_ascii=False) + "\n"
    return in_step.write_changed(wanted, root, write)
