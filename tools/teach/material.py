"""``make teach``: everything for class, made from the chapters and nothing else, into ``_build/teach``.

    student/NAME.ipynb      without solutions and outputs: the stubs, the checks and the hints are there
    solution/NAME.ipynb     the solutions in the cells, with the marks that nbgrader knows, and the typical mistakes
    slides/NAME.html        reveal.js, works offline; S opens the speaker's notes, ?print-pdf prints
    handouts/NAME.html      goals, formulas, figures, results, checklist: to print
    quizzes/NAME.gift.txt   for Moodle's question bank; NAME.html to print, NAME_key.html with the answers

The chapters are the master. Whoever mends a student notebook by hand loses it with the next ``make teach``.
"""

import copy
import re
import shutil
import time
from pathlib import Path

import nbformat

from tools import ROOT
from tools.address import Address, wanted
from tools.teach import exercises, handouts, outline, quizzes, slides
from tools.teach.exercises import Exercise

ASSETS = ROOT / "tools" / "teach" / "assets"
NOTE = """

<div class="admonition tip">
<p class="admonition-title">How to work with this notebook</p>

Run the cells from top to bottom, the set-up cell first.
In an exercise replace `...  # your code here`, run the cell, then run the self-check below it: it says what is missing.
If you are stuck, unfold a hint, or run the check again: each try that fails shows the next one.
An answer is complete when the check says "Correct" or, where many answers are possible, "Plausible".

</div>"""


def student(notebook: nbformat.NotebookNode, found: list[Exercise], pages: str) -> nbformat.NotebookNode:
    """The notebook for students: stubs, checks and hints; no solutions, no outputs."""
    derived = _travelling(notebook, found, pages)
    derived.cells[0].source += NOTE
    for exercise in found:
        derived.cells[exercise.answer].source = exercises.hints(exercise)
    for cell in derived.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    return derived


def solution(notebook: nbformat.NotebookNode, found: list[Exercise], pages: str) -> nbformat.NotebookNode:
    """The notebook for teachers: solutions in place of the stubs, remarks and typical mistakes unfolded."""
    derived = _travelling(notebook, found, pages)
    for exercise in found:
        derived.cells[exercise.stub].source = exercise.solution
        for position in (exercise.stub, exercise.check):
            derived.cells[position].update(outputs=[], execution_count=None)
        remarks = [f"**Remarks.** {outline.absolute_links(exercise.remarks, pages)}"] if exercise.remarks else []
        mistakes = [f"- *{wrong['mistake']}*: “… {wrong['hint']} …”" for wrong in exercise.wrong]
        remarks += ["**Typical mistakes**, and what the check says to them:", "\n".join(mistakes)] if mistakes else []
        derived.cells[exercise.answer].source = "\n\n".join([exercises.hints(exercise), *remarks])
    return derived


def _travelling(notebook: nbformat.NotebookNode, found: list[Exercise], pages: str) -> nbformat.NotebookNode:
    """A copy whose links lead to the site, without the links to itself; nbgrader is told which cells are graded."""
    derived = copy.deepcopy(notebook)
    derived.metadata.get("medgen", {}).pop("executed", None)
    for cell in derived.cells:
        if cell.cell_type == "markdown":
            cell.source = outline.absolute_links(cell.source, pages)
    first = derived.cells[0]
    first.source = re.sub(r"^\[Open in Colab\].*\n\n", "", first.source, flags=re.MULTILINE)
    for exercise in found:
        derived.cells[exercise.stub].metadata["nbgrader"] = {
            "schema_version": 3,
            "grade_id": exercise.name,
            "solution": True,
            "grade": False,
            "locked": False,
            "task": False,
        }
    return derived


def credit(address: Address, chapter: str) -> str:
    """The line of origin under everything that leaves the book, as HTML."""
    link = f"{address.pages}chapters/{chapter}.html"
    place = f', <a href="{link}">{link.removeprefix("https://")}</a>' if address.slug else ""
    return (
        f"Generalization in Medical Image Classification, version {address.version}{place}. Text and figures CC BY 4.0."
    )


def teach(target: Path, root: Path = ROOT) -> list[str]:
    """Write everything into ``target``, which is made anew; the names of the chapters."""
    address = wanted(root)
    shutil.rmtree(target, ignore_errors=True)
    for name in ("student", "solution", "slides", "handouts", "quizzes"):
        (target / name).mkdir(parents=True)
    shutil.copytree(ASSETS / "reveal.js", target / "slides" / "reveal.js")
    shutil.copytree(root / "_extra" / "mathjax", target / "slides" / "mathjax")
    chapters = sorted(root.glob("chapters/*.ipynb"))
    for path in chapters:
        chapter, notebook = path.stem, nbformat.read(path, as_version=4)
        origin = credit(address, chapter)
        found = exercises.read(notebook, exercises.masters(chapter, root))
        nbformat.write(student(notebook, found, address.pages), target / "student" / path.name)
        nbformat.write(solution(notebook, found, address.pages), target / "solution" / path.name)
        content, blocks = outline.read(notebook, address.pages), quizzes.read(chapter, root)

        def write(name: str, text: str) -> None:
            (target / name).write_text(text, encoding="utf-8")

        write(f"slides/{chapter}.html", slides.slides(content, blocks, origin))
        body = handouts.handout(content, {block["block"] for block in blocks})
        write(f"handouts/{chapter}.html", handouts.page(content.title, body, origin))
        if blocks:
            _write_quizzes(write, chapter, content.title, blocks, origin, address.pages)
    return [path.stem for path in chapters]


def _write_quizzes(write, chapter: str, title: str, blocks: list[dict], origin: str, pages: str) -> None:
    """The three files of a chapter's quizzes."""

    def html(text: str) -> str:
        return outline.to_html(outline.absolute_links(text, pages))

    def moodle(text: str) -> str:  # Moodle's MathJax looks for \\( \\)
        return re.sub(r"\$(.+?)\$", r"\\(\1\\)", html(text))

    write(f"quizzes/{chapter}.gift.txt", quizzes.gift(chapter, blocks, moodle))
    name = '<p class="name">Name <span></span></p>'
    sheet = handouts.page(f"Quiz: {title}", name + quizzes.sheet(blocks, html, key=False), origin)
    write(f"quizzes/{chapter}.html", sheet)
    key = handouts.page(f"Quiz key: {title}", quizzes.sheet(blocks, html, key=True), origin)
    write(f"quizzes/{chapter}_key.html", key)


if __name__ == "__main__":
    started = time.perf_counter()
    folder = ROOT / "_build" / "teach"
    names = teach(folder)
    print(f"{len(names)} chapters in {time.perf_counter() - started:.0f} s: {', '.join(names)}")
    print(f"\nFor class, in {folder}:")
    print(__doc__.split("\n\n")[1])
