"""What a chapter holds, in order, for slides and handouts: prose, formulas, tables, figures, computed sentences."""

import base64
import html
import re
from typing import NamedTuple

import nbformat
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

HEADING = re.compile(r"^(#{2,3}) (.+)$")
DETAILS = re.compile(r"<details>.*?</details>\s*", re.DOTALL)
BOX = re.compile(r'<div class="admonition[^>]*>|</div>|<p class="admonition-title">(.*?)</p>')
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#|mailto:)([\w./-]+?)\.(?:md|ipynb)(#[^)\s]*)?\)")


class Item(NamedTuple):
    """A piece of a section. ``kind``: prose, formula, table, figure (``text`` is HTML) or result (a computed text)."""

    kind: str
    text: str
    caption: str = ""


class Section(NamedTuple):
    """A heading of level 2 or 3 and what stands under it."""

    level: int
    title: str
    items: list[Item]


class Outline(NamedTuple):
    """A chapter: ``card`` maps the bold words of its first cell ("The question", ...) to what follows them."""

    title: str
    card: dict[str, str]
    sections: list[Section]

    def texts(self, title: str) -> str:
        """The prose of the section with this title, "" where there is none."""
        found = (section for section in self.sections if section.title == title)
        return "\n\n".join(item.text for section in found for item in section.items if item.kind == "prose")


def to_html(markdown: str) -> str:
    """Markdown as HTML; formulas stay as they are, for MathJax."""
    return MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(markdown)


def absolute_links(markdown: str, pages: str) -> str:
    """Links to other pages of the book, which do not travel with a derived file, led to the site at ``pages``.

    Where the book has no site (``pages`` is ""), their words stay and the links go.
    """
    return LINK.sub(
        lambda link: f"[{link[1]}]({pages}chapters/{link[2]}.html{link[3] or ''})" if pages else link[1], markdown
    )


def read(notebook: nbformat.NotebookNode, pages: str) -> Outline:
    """The outline of a chapter whose site is at ``pages``; no quiz options, hints, solutions or code."""
    first, *cells = notebook.cells
    title = first.source.split("\n")[0].removeprefix("# ")
    card = re.findall(r"^\*\*(.+?)\.?\*\*\s*(.*?)(?=^\*\*|^</div>|\Z)", first.source, re.MULTILINE | re.DOTALL)
    sections: list[Section] = []
    asked = False  # the last text was a quiz, which slides and handouts show apart from its answer
    for cell in cells:
        if cell.cell_type == "markdown":
            _add_markdown(sections, absolute_links(DETAILS.sub("", cell.source), pages))
            asked = "<details" in cell.source and "answer" not in cell.metadata.get("tags", [])
        elif sections and not {"setup", "self-check"} & set(cell.metadata.get("tags", [])):
            outputs = _outputs(cell, pages)
            if asked and outputs:
                sections.append(Section(3, "What came out", []))
                asked = False
            sections[-1].items.extend(outputs)
    return Outline(title, {name: absolute_links(text.strip(), pages) for name, text in card}, sections)


def _add_markdown(sections: list[Section], text: str) -> None:
    """Cut a Markdown cell at its headings and blank lines; boxes lose their frame."""
    text = BOX.sub(lambda tag: f"**{tag[1]}**" if tag[1] else "", text)
    for paragraph in filter(None, re.split(r"\n\s*\n", text.strip())):
        if match := HEADING.match(paragraph.split("\n")[0]):
            sections.append(Section(len(match[1]), match[2], []))
            paragraph = "\n".join(paragraph.split("\n")[1:])
        if not paragraph.strip() or not sections:
            continue
        kind = "formula" if paragraph.startswith("$$") else "table" if paragraph.startswith("|") else "prose"
        sections[-1].items.append(Item(kind, paragraph))


def _outputs(cell: nbformat.NotebookNode, pages: str) -> list[Item]:
    """Figures (with alt text and caption), sliders and computed sentences among the stored outputs of a cell."""
    shown = cell.metadata.get("mystnb", {})
    alt = html.escape(shown.get("image", {}).get("alt", ""), quote=True)
    caption = shown.get("figure", {}).get("caption", "")
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/svg+xml" in data:
            words = html.escape(output.metadata.get("image/svg+xml", {}).get("alt", "") or alt, quote=True)
            image = base64.b64encode("".join(data["image/svg+xml"]).encode()).decode()
            found.append(Item("figure", f'<img alt="{words}" src="data:image/svg+xml;base64,{image}">', caption))
        elif "image/png" in data:
            image = "".join(data["image/png"].split())
            found.append(Item("figure", f'<img alt="{alt}" src="data:image/png;base64,{image}">', caption))
        elif "medgen-explore" in data.get("text/html", ""):
            found.append(Item("figure", data["text/html"], caption))
        elif "text/markdown" in data:
            blocks = absolute_links(data["text/markdown"], pages).strip().split("\n\n")
            found += [Item("table" if block.startswith("|") else "result", block) for block in blocks]
    return found
