"""Write the literature map from ``chapters/atlas.yml`` (`works`): part of ``make write``.

One table, twice: in Markdown between the marks of ``chapters/atlas.md``, where every link is checked when the site is
built and which paper, e-readers and pages without scripts show as it is; and in HTML for the page alone. Graphs and
filters are made by ``explorer/pages/atlas/atlas.js`` from what the page holds: no datum is written a third time.
"""

import html
import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tools import ROOT
from tools.atlas.works import Atlas, Shift, Work, load
from tools.claims import places
from tools.write import in_step
from tools.write.alone import document

BEGIN, END = "% atlas: written by `make write`, do not edit", "% atlas: end"
FOLDER = Path("explorer") / "pages" / "atlas"
GRAPHS = Path("medgen_utils") / "figures" / "schematics" / "shift-graphs.svg"
COLUMNS = ("Work", "Year", "Kind", "Shift", "Family", "Images", "Sites", "Executed here", "In this book")
CAPTION = "Every work that this book cites"


class Piece(NamedTuple):
    """A run of text in a cell; ``to`` is an address within the book, as ``claims.md#claim-gap``."""

    text: str
    to: str = ""
    style: str = ""  # "code", "em", "strong"


def pieces(work: Work, atlas: Atlas, root: Path = ROOT) -> list[list[Piece]]:
    """The cells of a work's row."""
    titles = {shift.name: shift.title for shift in atlas.shifts}
    about = [Piece(work.name, f"references.md#ref-{work.key}", "strong"), Piece(f": {work.title}.")]
    about += [Piece(f" {work.says}", style="em")] if work.says else []
    here = [[Piece(places.title(root, name), f"{name}.ipynb")] for name in work.chapters]
    here += [[Piece("claim: "), Piece(claim.title, f"claims.md#claim-{claim.id}")] for claim in work.claims]
    return [
        about,
        [Piece(str(work.year))],
        [Piece(work.kind)],
        _joined([[Piece(titles[name])] for name in work.shift]),
        [Piece(work.family)] if work.family else [],
        _joined([[Piece(name)] for name in work.modality]),
        [Piece(work.sites)] if work.sites else [],
        _joined([[Piece(name.rpartition(".")[2], style="code")] for name in work.executed]),
        _joined(here),
    ]


def _joined(groups: list[list[Piece]]) -> list[Piece]:
    """Groups with "; " between them: what the filters of the page split at."""
    found: list[Piece] = []
    for group in groups:
        found += [Piece("; "), *group] if found else group
    return found


def around(shift: Shift, atlas: Atlas, root: Path = ROOT) -> list[list[Piece]]:
    """What a graph opens, a paragraph each: what changes, the clinic, claims, remedies, works."""
    chapter, cell = shift.clinic.cells[0]
    figure = shift.clinic.figure or places.figure(root, chapter, cell) or cell
    paragraphs = [
        [Piece(shift.changes)],
        [
            Piece("On the clinic", style="strong"),
            Piece(": "),
            Piece(
                f"{places.title(root, chapter)}, {places.section(root, chapter, figure)}",
                f"{chapter}.ipynb#cell-{figure}",
            ),
            Piece("."),
        ],
    ]
    claims = [
        [Piece(claim.title, f"claims.md#claim-{claim.id}"), Piece(f" ({claim.verdict})")] for claim in shift.claims
    ]
    paragraphs.append([Piece("Claims", style="strong"), Piece(": "), *_joined(claims), Piece(".")])
    families = [[Piece(name, f"{chapter}.ipynb")] for name, chapter in shift.families.items()]
    if families:
        paragraphs.append(
            [
                Piece("Remedies that this book teaches against it", style="strong"),
                Piece(": "),
                *_joined(families),
                Piece("."),
            ]
        )
    named = [[Piece(work.name, f"references.md#ref-{work.key}")] for work in atlas.works if shift.name in work.shift]
    return [*paragraphs, [Piece("Works that name it", style="strong"), Piece(": "), *_joined(named), Piece(".")]]


def to_markdown(cell: list[Piece]) -> str:
    marks = {"": "", "code": "`", "em": "*", "strong": "**"}
    parts = []
    for text, to, style in cell:
        lead = text[: len(text) - len(text.lstrip())]
        inner = f"{marks[style]}{text.strip()}{marks[style]}" if style else text[len(lead) :]
        parts.append(lead + (f"[{inner}]({to})" if to else inner))
    return "".join(parts).replace("|", "\\|")


def to_html(cell: list[Piece]) -> str:
    parts = []
    for text, to, style in cell:
        inner = html.escape(text, quote=False)
        inner = f"<{style}>{inner}</{style}>" if style else inner
        address = re.sub(r"\.(md|ipynb)(?=#|$)", ".html", to)
        parts.append(f'<a href="../chapters/{address}">{inner}</a>' if to else inner)
    return "".join(parts)


def chapter(atlas: Atlas, root: Path = ROOT) -> str:
    """The part of atlas.md between the marks: a section for each graph, then the table."""
    lines = []
    for shift in atlas.shifts:
        lines += [f"## {shift.title}", ""]
        for paragraph in around(shift, atlas, root):
            lines += [to_markdown(paragraph), ""]
    lines += ["## All works", "", f":::{{table}} {CAPTION}", ":class: mg-atlas-works", ""]
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(map(to_markdown, pieces(work, atlas, root)))} |" for work in atlas.works]
    return "\n".join([*lines, ":::"])


def alone(atlas: Atlas, root: Path = ROOT) -> str:
    """The map without the book around it, for a lecture or a frame in another page."""
    sections = [
        f'<section id="{shift.title.lower().replace(" ", "-")}"><h2>{shift.title}</h2>'
        + "".join(f"<p>{to_html(paragraph)}</p>" for paragraph in around(shift, atlas, root))
        + "</section>"
        for shift in atlas.shifts
    ]
    rows = []
    for work in atlas.works:
        first, *others = map(to_html, pieces(work, atlas, root))
        rows.append(f"<tr><td>{first}</td>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>")
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    table = "\n".join(
        [
            f'<section id="all-works"><h2>All works</h2>\n<table class="mg-atlas-works"><caption>{CAPTION}</caption>',
            f"<thead><tr>{head}</tr></thead>\n<tbody>",
            *rows,
            "</tbody></table></section>",
        ]
    )
    drawing = f'<img src="graphs.svg" width="500" height="621" alt="{html.escape(words(root))}">'
    return document(
        "Literature map: the page alone",
        "The works that this book cites, by kind of shift, remedy, images, sites and year.",
        "Literature map",
        'The map alone. <a href="../chapters/atlas.html">What it holds, and what it does not.</a>',
        "atlas.css",
        "\n".join([f'<div class="mg-explorer mg-atlas">\n{drawing}\n</div>', *sections, table]),
        ("atlas.js",),
    )


def words(root: Path = ROOT) -> str:
    """What the drawing of the four graphs shows, as its own file says it."""
    drawing = ElementTree.parse(root / GRAPHS).getroot()
    title, text = (
        " ".join(drawing.findtext(f"{{http://www.w3.org/2000/svg}}{tag}").split()) for tag in ("title", "desc")
    )
    return f"{title}: {text}"


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring the map in step with atlas.yml; the names of the files that were not. ``write=False``: no change."""
    atlas = load(root)
    path = root / "chapters" / "atlas.md"
    before = path.read_text(encoding="utf-8")
    wanted = {
        path: in_step.between(before, BEGIN, END, chapter(atlas, root), path.name),
        root / FOLDER / "index.html": alone(atlas, root),
        root / FOLDER / "graphs.svg": (root / GRAPHS).read_text(encoding="utf-8"),
    }
    return in_step.write_changed(wanted, root, write)
