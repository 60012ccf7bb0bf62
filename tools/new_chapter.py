"""Begin a chapter: ``python -m tools.new_chapter NAME "Title" [--part PART | --after NAME] [--data NAME ...]``.

Writes ``chapters/NAME.ipynb``, a notebook with the parts of a chapter in their order that runs as it is, its first quiz
(``chapters/quizzes/NAME.yml``), its line in ``_toc.yml`` and its row on the home page. What else a chapter has (further
quizzes, exercises, a plan for teachers) is in CONTRIBUTING.md; ``make test`` names what is missing.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

from medgen_utils.data import DATASETS
from tools import ROOT
from tools.address import wanted
from tools.publish import package
from tools.teach import quizzes
from tools.write import stamp

CARD = """# {title}

<div class="admonition note">
<p class="admonition-title">This chapter at a glance</p>

**The question.** {question}

**After this chapter you can**

- say what a reader can do afterwards, three to five times;

**Time.** Minutes to read; minutes to run in fast and in full mode, on two cores.

**You need.** The chapter on the [generalization gap](generalization_gap.ipynb).

**Data.** The synthetic clinic (ours); licences and traps are on the [data sets page](datasets.md).

**Where we are.** The type of shift, and the family of methods.

</div>"""
QUESTION = "One clinical question, in one sentence?"
QUIZ = """\
# The quizzes of the chapter: the master of its quiz cells (`make write`). Keys: tools/teach/quizzes.py.
- block: Predict first
  questions:
    - name: What will happen
      text: What does the reader expect, before the first result?
      options:
        - text: One thing.
          feedback: What that would mean.
        - text: Another.
          feedback: And what that would.
      prediction: true
"""
PARTS = {
    "The question": ("Start from the clinic: a picture, and one baseline that fails.", "hospitals.summary()"),
    "The idea": ("A figure, one equation, and the assumption that it makes about the next hospital.", ""),
    "From scratch": (
        "Short cells that end in an assertion: the package gives the same number.",
        "assert len(hospitals) == len(hospitals.y)",
    ),
    "On the clinic": ("The case it was made for, and the case that breaks its assumption.", ""),
    "On real data": ("The fair experiment, next to plain training: same protocol, sealed test hospital, seeds.", ""),
    "Exercises": ("Three: warm-up, core, open.", ""),
    "What the review says and what we saw": ("Claims of the literature with their source, and our result.", ""),
    "Recap": ("Five lines, and annotated reading.", ""),
}


def notebook(title: str, data: list[str]) -> nbformat.NotebookNode:
    """The notebook of a new chapter, not stamped yet, with an empty cell for its first quiz."""
    cells = [
        nbformat.v4.new_markdown_cell(CARD.format(title=title, question=QUESTION)),
        nbformat.v4.new_code_cell(""),
        nbformat.v4.new_code_cell('from medgen_utils.data import load\n\nhospitals = load("clinic")'),
    ]
    for heading, (text, code) in PARTS.items():
        cells.append(nbformat.v4.new_markdown_cell(f"## {heading}\n\n{text}"))
        cells += [nbformat.v4.new_code_cell(code)] if code else []
        cells += [nbformat.v4.new_markdown_cell("### Predict first\n")] if heading == "The question" else []
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "medgen": {"data": data}})


def listed(toc: str, name: str, part: str, after: str = "") -> str:
    """The text of _toc.yml with the chapter as the last one of its part, or behind the chapter ``after``.

    ValueError for a part or chapter that is not there.
    """
    line = f"      - file: chapters/{name}\n"
    if after:
        before, found, rest = toc.partition(f"      - file: chapters/{after}\n")
        if not found:
            raise ValueError(f"no chapter {after!r} in _toc.yml to stand behind")
        return f"{before}{found}{line}{rest}"
    parts = re.findall(r"^  - caption: (.+)$", toc, re.MULTILINE)
    if part not in parts:
        raise ValueError(f"no part {part!r} in _toc.yml: choose from {', '.join(parts)}")
    before, caption, rest = toc.partition(f"  - caption: {part}\n")
    chapters, end, after_it = rest.partition("  - caption:")
    return f"{before}{caption}{chapters}{line}{end}{after_it}"


def before_it(toc: str, name: str) -> str:
    """The page that stands before a chapter in the text of _toc.yml."""
    pages = re.findall(r"^ +- file: chapters/(\S+)$", toc, re.MULTILINE)
    return pages[pages.index(name) - 1]


def on_home(page: str, name: str, title: str, before: str) -> str:
    """The text of the home page with the chapter's row in the table of chapters, below that of the page ``before`` it.

    Without that row, as for back matter, the table stays as it is.
    """
    row = re.compile(rf"^\|.*\]\({re.escape(before)}\.(?:ipynb|md)\) \|.*\|\n", re.MULTILINE)
    return row.sub(lambda match: f"{match[0]}| | [{title}]({name}.ipynb) | {QUESTION} |\n", page, count=1)


def begin(name: str, title: str, part: str, data: list[str], root: Path = ROOT, after: str = "") -> Path:
    """Write all files; the notebook's path. ValueError for a bad or a taken name, a part, chapter or data unknown."""
    path, toc, home = root / "chapters" / f"{name}.ipynb", root / "_toc.yml", root / "chapters" / "index.md"
    if not name.isidentifier() or name != name.lower():
        raise ValueError(f"{name!r} names no module: small letters and underscores, as in domain_shift")
    if path.exists():
        raise ValueError(f"{path.name} exists: choose another name")
    if unknown := set(data) - set(DATASETS):
        raise ValueError(f"no data sets {sorted(unknown)}: choose from {', '.join(DATASETS)}")
    contents = listed(toc.read_text(encoding="utf-8"), name, part, after)
    address = wanted(root)
    made = notebook(title, data)
    stamp.stamp_notebook(made, name, address, package.released(root, address.version) if address.slug else "")
    for cell in made.cells:  # as nbformat holds them in memory; the stamp writes lines
        cell.source = "".join(cell.source)
    quiz = root / "chapters" / "quizzes" / f"{name}.yml"
    quiz.parent.mkdir(exist_ok=True)
    quiz.write_text(QUIZ, encoding="utf-8")
    quizzes.write_cells(made, quizzes.read(name, root))
    nbformat.write(made, path)
    toc.write_text(contents, encoding="utf-8")
    row = on_home(home.read_text(encoding="utf-8"), name, title, before_it(contents, name))
    home.write_text(row, encoding="utf-8")
    return path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("title")
    parser.add_argument("--part", default="The remedies", help="the chapter becomes its last")
    parser.add_argument("--after", default="", metavar="NAME", help="the chapter behind which it stands instead")
    parser.add_argument("--data", nargs="*", default=[])
    given = parser.parse_args(arguments)
    try:
        print(begin(given.name, given.title, given.part, given.data, after=given.after))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
