"""`make teach`: what it writes for class is whole, follows from the chapters, and works without a network."""

import base64
import hashlib
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from medgen_utils.figures import schematic
from tools import ROOT
from tools.address import Address, wanted
from tools.teach import exercises, material, outline, work_through

NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
FOUND = {name: exercises.read(notebook, exercises.masters(name)) for name, notebook in NOTEBOOKS.items()}
every_chapter = pytest.mark.parametrize("chapter", NOTEBOOKS)
KINDS = {
    "student": "{}.ipynb",
    "solution": "{}.ipynb",
    "slides": "{}.html",
    "handouts": "{}.html",
    "quizzes": "{}.gift.txt",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The folder that `make teach` writes."""
    folder = tmp_path_factory.mktemp("teach")
    material.teach(folder)
    return folder


def notebook(written: Path, kind: str, chapter: str) -> nbformat.NotebookNode:
    derived = nbformat.read(written / kind / f"{chapter}.ipynb", as_version=4)
    nbformat.validate(derived)
    return derived


@every_chapter
def test_every_chapter_has_everything(written, chapter):
    for kind, name in KINDS.items():
        assert (written / kind / name.format(chapter)).stat().st_size > 500
    assert (written / "quizzes" / f"{chapter}.html").exists()
    assert (written / "quizzes" / f"{chapter}_key.html").exists()


@every_chapter
def test_students_get_stubs_checks_and_hints_and_nothing_else(written, chapter):
    derived = notebook(written, "student", chapter)
    text = "\n".join(cell.source for cell in derived.cells)
    for exercise in FOUND[chapter]:
        assert derived.cells[exercise.stub].source == exercises.cut(exercise.solution)
        assert derived.cells[exercise.check].source == NOTEBOOKS[chapter].cells[exercise.check].source
        assert derived.cells[exercise.answer].source.startswith("<details><summary>Hint</summary>")
        between = exercise.solution.split(exercises.BEGIN)[1].split(exercises.END)[0].strip()
        assert between not in text
    assert "SOLUTION" not in text
    assert "<summary>Solution" not in text
    assert all(not cell.outputs and cell.execution_count is None for cell in derived.cells if cell.cell_type == "code")
    assert "executed" not in derived.metadata.medgen


@every_chapter
def test_the_student_notebook_is_the_solution_notebook_cut_at_the_marks(written, chapter):
    for exercise in FOUND[chapter]:
        student, solution = (notebook(written, kind, chapter).cells[exercise.stub] for kind in ("student", "solution"))
        assert exercises.cut(solution.source) == student.source
        for cell in (student, solution):
            assert cell.metadata.nbgrader == {
                "schema_version": 3, "grade_id": exercise.name, "solution": True,
                "grade": False, "locked": False, "task": False,
            }  # fmt: skip


@every_chapter
def test_teachers_read_the_typical_mistakes(written, chapter):
    derived = notebook(written, "solution", chapter)
    for exercise in FOUND[chapter]:
        for wrong in exercise.wrong:
            assert wrong["mistake"] in derived.cells[exercise.answer].source


@every_chapter
@pytest.mark.parametrize("kind", ["student", "solution"])
def test_links_of_a_notebook_that_travels_lead_to_the_site(written, kind, chapter):
    text = "\n\n".join(cell.source for cell in notebook(written, kind, chapter).cells if cell.cell_type == "markdown")
    assert re.findall(r"</details>\n(?!<details>|\n).*", text) == [], "Markdown after HTML needs a blank line"
    assert "Open in Colab" not in text
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets or not wanted().slug
    assert [target for target in targets if not target.startswith("https://")] == []


def test_links_to_other_pages_lead_to_the_site_and_lose_themselves_where_there_is_none():
    text = "See [the *gap* [1]](generalization_gap.ipynb#part), [here](#part) and [there](https://example.org)."
    with_site, without = (outline.absolute_links(text, pages) for pages in ("https://a.github.io/b/", ""))
    assert "[the *gap* [1]](https://a.github.io/b/chapters/generalization_gap.html#part), [here](#part)" in with_site
    assert without == "See the *gap* [1], [here](#part) and [there](https://example.org)."


def test_what_travels_names_its_origin_where_there_is_one():
    assert 'href="https://a.github.io/b/chapters/c.html"' in material.credit(Address("a/b", "1.0"), "c")
    assert "href" not in material.credit(Address("", "1.0"), "c") and "version 1.0." in material.credit(
        Address("", "1.0"), "c"
    )


@every_chapter
def test_slides_and_handout_show_every_figure_with_its_words(written, chapter):
    found = outline.read(NOTEBOOKS[chapter], "https://example.org/")
    pictures = [item for section in found.sections for item in section.items if item.kind == "figure"]
    for kind in ("slides", "handouts"):
        page = BeautifulSoup((written / kind / f"{chapter}.html").read_text(encoding="utf-8"), "html.parser")
        words = [image.get("alt", "") for image in page.find_all("img")]
        assert len(words) >= len(pictures) >= 1
        assert min(map(len, words)) >= 20
        captions = {caption.get_text() for caption in page.find_all("figcaption")}
        assert {item.caption for item in pictures if "$" not in item.caption} - {""} <= captions


def test_a_schematic_is_a_figure_of_the_outline_with_its_own_words():
    shown = schematic("four-ways-to-test")
    data, metadata = shown._repr_mimebundle_()
    heading = nbformat.v4.new_markdown_cell("## Part\n\nText")
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data, metadata=metadata)])
    cells = [nbformat.v4.new_markdown_cell("# Title"), heading, cell]
    item = outline.read(nbformat.v4.new_notebook(cells=cells), "").sections[0].items[-1]
    image = BeautifulSoup(item.text, "html.parser").img
    assert item.kind == "figure" and image["alt"] == shown.alt
    assert base64.b64decode(image["src"].rpartition(",")[2]).decode() == shown.svg


@every_chapter
def test_handout_has_goals_and_checklist(written, chapter):
    page = BeautifulSoup((written / "handouts" / f"{chapter}.html").read_text(encoding="utf-8"), "html.parser")
    goals = re.findall(r"^- ", NOTEBOOKS[chapter].cells[0].source, re.MULTILINE)
    assert len(page.main.find("h2").find_next_sibling("ul").find_all("li")) == len(goals) >= 3
    assert len(page.select(".checklist li")) >= 3
    assert page.find("details") is None


def watched_page(browser, sent: list[str], **context):
    page = browser.new_context(**context).new_page()
    page.on("request", lambda request: sent.append(request.url))
    page.on("pageerror", lambda error: sent.append(f"script error: {error}"))
    page.on("requestfailed", lambda request: sent.append(f"not found: {request.url}"))
    return page


SHOWN = """() => {
  const slide = Reveal.getCurrentSlide(), box = slide.getBoundingClientRect();
  const parts = [...slide.querySelectorAll('h1, h2, h3, p, li, img, table, mjx-container')]
    .filter(part => !part.closest('aside, figure[style*="none"]'))
    .map(part => part.getBoundingClientRect()).filter(part => part.width > 0);
  return {title: slide.querySelector('h1, h2, h3').textContent, height: box.height, parts: parts.length,
    right: Math.max(...parts.map(part => part.right)), bottom: Math.max(...parts.map(part => part.bottom)),
    seen: parts.length > 0 && slide.contains(document.elementFromPoint(parts[0].left + 9, parts[0].top + 9))};
}"""


@every_chapter
def test_slides_fit_and_need_no_network(browser, written, chapter):
    sent: list[str] = []
    page = watched_page(browser, sent, viewport={"width": 1280, "height": 720})
    page.goto((written / "slides" / f"{chapter}.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady() && window.MathJax?.startup?.promise")
    page.evaluate("MathJax.startup.promise.then(fitShown)")
    titles = []
    for _ in range(page.evaluate("Reveal.getTotalSlides()")):
        slide = page.evaluate(SHOWN)
        assert slide["seen"], slide
        assert slide["right"] <= 1280, slide
        assert slide["bottom"] <= 720, slide
        titles.append(slide["title"])
        page.keyboard.press("Space")
    headings = [s.title for s in outline.read(NOTEBOOKS[chapter], "").sections if s.level == 2]
    assert [heading for heading in headings if heading not in titles and "$" not in heading] == []
    assert [url for url in sent if not url.startswith(("file:", "data:", "blob:"))] == []
    page.context.close()


@every_chapter
def test_handouts_and_quiz_sheets_need_no_network_and_fit_the_page(browser, written, chapter):
    for name in (f"handouts/{chapter}", f"quizzes/{chapter}", f"quizzes/{chapter}_key"):
        sent: list[str] = []
        page = watched_page(browser, sent, viewport={"width": 680, "height": 960})  # A4 less its margins
        page.goto((written / f"{name}.html").as_uri())
        if page.evaluate("Boolean(window.MathJax)"):
            page.wait_for_function("window.MathJax?.startup?.promise")
            page.evaluate("MathJax.startup.promise")
            assert page.locator("mjx-merror").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 680
        assert [url for url in sent if not url.startswith(("file:", "data:", "blob:"))] == []
        page.context.close()


def test_reveal_is_the_published_one():
    folder = material.ASSETS / "reveal.js"
    sums = re.findall(r"^([0-9a-f]{64})  (\S+)$", (folder / "README.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(sums) == 4
    for expected, name in sums:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    assert "Hakim El Hattab" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_working_through_tries_the_stub_and_then_the_solution():
    stub = nbformat.v4.new_code_cell("answer = None", metadata={"tags": ["exercise"]})
    check = nbformat.v4.new_code_cell(
        "from medgen_utils.exercises.feedback import Feedback\n"
        "Feedback('Not started yet' if answer is None else f'Correct: {answer + 1}')",
        metadata={"tags": ["self-check"]},
    )
    solved = nbformat.v4.new_code_cell("answer = 41", metadata={"nbgrader": {"grade_id": "answer"}})
    student, solution = (nbformat.v4.new_notebook(cells=cells) for cells in ([stub, check], [solved, check]))
    assert work_through.work_through(student, solution) == [("answer", "Not started yet", "Correct: 42")]
