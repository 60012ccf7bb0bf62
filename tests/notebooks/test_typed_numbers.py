"""No page, sentence or schematic types a result: numbers come from the run or have a source; a planted one is found."""

import copy
import re

import pytest

from tests.notebooks import typed_numbers
from tests.notebooks.notebook_rules import read, source
from tools import ROOT

NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
PAGES = [path for path in (*sorted((ROOT / "chapters").rglob("*.md")), ROOT / "README.md") if path.name != "claims.md"]
PAGES.remove(ROOT / "chapters" / "evidence" / "README.md")  # thresholds of a protocol, written before its runs
MODULES = [path for path in sorted((ROOT / "medgen_utils").rglob("*.py")) if "Markdown(" in path.read_text("utf-8")]
SCHEMATICS = sorted((ROOT / "medgen_utils").rglob("*.svg"))
chapters = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@chapters
def test_no_result_is_typed_into_a_chapter(path):
    assert typed_numbers.in_notebook(read(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_result_is_typed_into_a_page(path):
    """What is written from the results or from the package has tests of its own: claims, the home page, data sets."""
    text = path.read_text(encoding="utf-8")
    written = r"^% (\w+): written by `make write`.*?^% \1: end$|<!-- begin .*?<!-- end [^>]*-->"
    assert typed_numbers.in_markdown(re.sub(written, "", text, flags=re.DOTALL | re.MULTILINE)) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_result_is_typed_into_a_sentence_of_the_package(path):
    assert typed_numbers.in_module(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SCHEMATICS, ids=lambda path: path.stem)
def test_no_result_is_typed_into_a_schematic(path):
    text = path.read_text(encoding="utf-8")
    assert typed_numbers.in_schematic(text) == []
    assert len(typed_numbers.in_schematic(text.replace("</svg>", "<text>ERM: 0.8731</text></svg>"))) == 1


@chapters
def test_what_others_report_has_a_source(path):
    assert typed_numbers.reports_without_source(read(path)) == []


@chapters
def test_a_result_planted_into_a_chapter_is_found(path):
    """In every chapter, at the end of the first paragraph after the title, in a caption and in a computed sentence."""
    notebook = {"cells": [cell | {"outputs": []} for cell in read(path)["cells"]]}
    planted = " ERM scores 0.8731 there."
    for cell_type, plant in (("markdown", into_text), ("code", into_caption), ("code", into_sentence)):
        changed = copy.deepcopy(notebook)
        plant(next(cell for cell in changed["cells"][1:] if cell["cell_type"] == cell_type), planted)
        assert any("'0.8731'" in problem for problem in typed_numbers.in_notebook(changed)), plant.__name__


def into_text(cell: dict, words: str) -> None:
    cell["source"] = source(cell).split("<details>")[0] + "\n\n" + words


def into_caption(cell: dict, words: str) -> None:
    cell["metadata"] = {"mystnb": {"figure": {"caption": words}}}


def into_sentence(cell: dict, words: str) -> None:
    cell["source"] = f'Markdown(f"{{name}} and{words}")'


TYPED = {
    "decimal": "It scores 0.87.",
    "signed decimal": "A change of -0.02 is seen.",
    "percentage": "It is right for 87 % of the images.",
    "percentage without a blank": "It is right for 87% of the images.",
    "count of a whole": "It wins at 3 of 4 hospitals.",
    "factor": "A step costs 3 times as much.",
    "difference": "It gains 20 points.",
    "interval": "The difference is small (-0.02 to 0.14).",
    "list item": "- see [Zech](references.md#ref-zech2018)\n- ERM: 0.87",
    "table row": "| a | [b](https://example.org) |\n|---|---|\n| ERM | 0.87 |",
    "glossary link is no source": "The [AUROC](glossary.md#term-AUROC) is 0.87.",
    "after front matter": "---\na: 1\n---\n\nIt scores 0.87.",
    "source in another paragraph": "See [Zech](references.md#ref-zech2018).\n\nIt scores 0.87.",
}
ALLOWED = {
    "source": "[Zech](references.md#ref-zech2018) report 0.815, and 3 of 4 lost.",
    "source outside": "They report 0.815 ([doi](https://doi.org/10.1/2)).",
    "code span": "With `gain=0.35`, a gain of 0.35 is dark.",
    "code block": "```python\nf(0.2)\n```\n\nHere 20 % of the labels are flipped.",
    "formula": "Where $p = 0.87$ and\n\n$$\n0.1 + 0.2\n$$",
    "level": "The bar is the 95 % interval, the test has the 5 % level.",
    "chance": "An AUROC of 0.5 is a coin (chance: 25 %).",
    "small whole numbers": "Five seeds, 28 pixels, 1,200 patients, chapter 3.",
    "version": "Python 3.11, CC BY-NC-ND 4.0.",
    "quoted speech": 'A student says "0.5 is half right".',
    "front matter": "---\nmyst:\n  substitutions:\n    a: 0.87\n---\n\n# Title",
    "address": "See [here](page.md#section-0.5).",
}


@pytest.mark.parametrize("text", TYPED.values(), ids=TYPED.keys())
def test_typed_results_are_found(text):
    assert len(typed_numbers.in_markdown(text)) >= 1


@pytest.mark.parametrize("text", ALLOWED.values(), ids=ALLOWED.keys())
def test_other_numbers_are_allowed(text):
    assert typed_numbers.in_markdown(text) == []


def notebook(*cells: tuple[str, str]) -> dict:
    return {"cells": [{"cell_type": kind, "source": source, "metadata": {}, "outputs": []} for kind, source in cells]}


def test_a_setting_is_a_number_of_the_code():
    text = ("markdown", "70 % of the patients train, with a weight of 0.3.")
    assert typed_numbers.in_notebook(notebook(("code", "%pip x\nsplit(0.7, weight=0.3)"), text)) == []
    assert len(typed_numbers.in_notebook(notebook(("code", "split(70, weight='0.3')"), text))) == 2


def test_a_number_in_a_computed_sentence_is_no_setting():
    assert len(typed_numbers.in_notebook(notebook(("code", 'Markdown(f"{name} scores 0.8731")')))) == 1
    assert typed_numbers.in_notebook(notebook(("code", 'Markdown(f"{name} scores {value:.2f}")'))) == []


def test_a_sentence_of_the_package_is_computed():
    typed, computed = (f'return Markdown(f"{{name}} scores {score}.")' for score in ("0.8731", "{value:.3f}"))
    assert len(typed_numbers.in_module(f"def say():\n    {typed}")) == 1
    assert typed_numbers.in_module(f"def say():\n    {computed}") == []


def test_questions_and_exercises_may_invent_numbers():
    asked = "A paper reports 0.8731.\n\n<details><summary>A</summary>\n\nNo.\n\n</details>"
    assert typed_numbers.in_notebook(notebook(("markdown", asked))) == []
    exercise = ("markdown", "## Exercises\n\n### Warm-up"), ("markdown", "Given 0.8731, return it.")
    assert typed_numbers.in_notebook(notebook(*exercise)) == []
    assert len(typed_numbers.in_notebook(notebook(*exercise, ("markdown", "## Recap\n\nIt is 0.8731.")))) == 1


def test_a_report_without_a_source_is_found():
    def table(report: str) -> dict:
        cell = notebook(("code", "x"))
        markdown = f"| what others report | what we saw here |\n|---|---|\n| {report} | 0.87 |"
        cell["cells"][0]["outputs"] = [{"data": {"text/markdown": markdown}}]
        return cell

    assert len(typed_numbers.reports_without_source(table("Stain matters"))) == 1
    assert typed_numbers.reports_without_source(table("Does stain matter?")) == []
    assert typed_numbers.reports_without_source(table("Stain matters ([T](references.md#ref-t))")) == []
