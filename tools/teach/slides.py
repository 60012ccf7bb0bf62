"""Slides of a chapter: reveal.js through nbconvert, from the chapter's own headings, figures, formulas and quizzes.

The prose goes into the speaker's notes (key S), so that a slide holds a heading and one thing to look at.
"""

import itertools
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from traitlets.config import Config

from tools.teach.outline import Item, Outline, Section
from tools.teach.quizzes import LETTERS

TEMPLATES = Path(__file__).resolve().parent / "assets" / "templates"
MAX_WORDS = 80  # of the first paragraph of a section, on its slide
NOT_SHOWN = ("Further reading",)
LEADS = (":", ",", " is", " are")  # how a paragraph ends that a formula or table completes


class Deck:
    """Collects slides as Markdown cells: a section starts to the right, what belongs to it follows below."""

    def __init__(self) -> None:
        self.cells: list[nbformat.NotebookNode] = []

    def add(self, text: str, notes: str = "", right: bool = False) -> None:
        """A slide with speaker's notes."""
        self._cell(text, "slide" if right else "subslide")
        self.add_notes(notes)

    def add_notes(self, notes: str) -> None:
        """More speaker's notes for the latest slide."""
        if notes.strip():
            self._cell(notes, "notes")

    def _cell(self, text: str, kind: str) -> None:
        self.cells.append(nbformat.v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}}))


def slides(outline: Outline, quizzes: list[dict], credit: str) -> str:
    """The slides as one HTML page, which expects ``reveal.js/`` and ``mathjax/`` beside it."""
    deck = Deck()
    question = outline.card.get("The question", "")
    notes = "\n\n".join(
        f"**{key}.** {outline.card[key]}" for key in ("Time", "You need", "Data") if key in outline.card
    )
    deck.add(f'# {outline.title}\n\n{question}\n\n<p class="quiet">{credit}</p>', notes, right=True)
    if goals := outline.card.get("After this chapter you can"):
        deck.add(f"## After this chapter you can\n\n{goals}", right=True)
    blocks = {block["block"]: block for block in quizzes}
    exercises: list[Section] | None = None
    for i, section in enumerate(outline.sections):
        if section.level == 2 or section.title in blocks:
            _add_exercises(deck, exercises)
            exercises = None
        if section.title in blocks:
            _add_quiz(deck, blocks[section.title])
        elif section.title == "Exercises":
            exercises = []
        elif exercises is not None:
            exercises.append(section)
        elif section.title not in NOT_SHOWN:
            below = itertools.takewhile(lambda later: later.level > section.level, outline.sections[i + 1 :])  # noqa: B023
            _add_section(deck, section, [part.title for part in below if part.title not in blocks])
    notebook = nbformat.v4.new_notebook(cells=deck.cells, metadata={"title": outline.title})
    settings = {"reveal_theme": "medgen", "reveal_url_prefix": "reveal.js", "exclude_anchor_links": True}
    config = Config({"SlidesExporter": settings})
    exporter = SlidesExporter(config=config, template_name="medgen_slides", extra_template_basedirs=[str(TEMPLATES)])
    return exporter.from_notebook_node(notebook)[0]


def _add_section(deck: Deck, section: Section, parts: list[str]) -> None:
    """The slide of a heading with its first sentences or its ``parts``, then a slide for each thing to look at."""
    opening = [item.text for item in section.items[:2] if item.kind == "prose"]
    shown = [_first_sentences(opening[0])] if opening else []
    if shown and len(opening) > 1 and opening[1].startswith("- "):
        shown.append(opening[1])
    bullets = [_as_list(text) for text in shown] or ["\n".join(f"- {part}" for part in parts)]
    items, notes = section.items, ""
    if len(items) > 1 and items[1].kind in ("formula", "table") and items[0].text.endswith(LEADS):
        bullets, items, notes = [_body(items[1], items[0].text)], items[2:], items[0].text
    deck.add("\n\n".join([f"{'#' * section.level} {section.title}", *bullets]), notes, right=section.level == 2)
    lead = ""
    for item in items:
        if item.kind in ("figure", "formula", "table"):
            deck.add(f"### {section.title}\n\n{_body(item, lead)}")
            lead = ""
        else:
            lead = item.text if item.kind == "prose" else ""
            if item.text not in shown:
                deck.add_notes(item.text if item.kind == "prose" else f"**In numbers.** {item.text}")


def _first_sentences(paragraph: str) -> str:
    """What fits on the slide of a paragraph, which has a sentence on each line."""
    lines = paragraph.split("\n")
    fitting = [i for i in range(1, len(lines) + 1) if len(" ".join(lines[:i]).split()) <= MAX_WORDS]
    return "\n".join(lines[: max(fitting, default=1)])


def _as_list(paragraph: str) -> str:
    """The sentences of a paragraph as a list."""
    lines = paragraph.split("\n")
    return paragraph if len(lines) == 1 or lines[0].startswith("- ") else "\n".join(f"- {line}" for line in lines)


def _body(item: Item, lead: str) -> str:
    """A figure with its caption; a formula or table after the sentence that leads to it."""
    if item.kind == "figure":
        caption = f"<figcaption>{item.caption}</figcaption>" if item.caption else ""
        return f'<figure class="shown">{item.text}{caption}</figure>'
    sentence = lead.rstrip().split("\n")[-1]
    return f"{sentence}\n\n{item.text}" if sentence.endswith(LEADS) else item.text


def _add_quiz(deck: Deck, block: dict) -> None:
    """A slide with the question, and below it the answer; what is predicted before the experiment stays open."""
    for question in block["questions"]:
        lettered = list(zip(LETTERS, question["options"], strict=False))
        options = "\n\n".join(f"**{letter}.** {option['text']}" for letter, option in lettered)
        feedback = "\n\n".join(f"**{letter}.** {option['feedback']}" for letter, option in lettered)
        deck.add(f"## {block['block']}\n\n{question['text'].strip()}\n\n{options}", feedback, right=True)
        for letter, option in lettered:
            if option.get("correct") and block["block"] != "Predict first":
                deck.add(f"## Answer: {letter}\n\n**{option['text']}**\n\n{option['feedback']}", feedback)


def _add_exercises(deck: Deck, exercises: list[Section] | None) -> None:
    """One slide with the tasks of all exercises."""
    if exercises:
        parts = ["## Exercises"]
        for section in exercises:
            task = "\n\n".join(item.text for item in section.items if item.kind == "prose")
            parts += [f"**{section.title}**", task]
        deck.add("\n\n".join(parts), right=True)
