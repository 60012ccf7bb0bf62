"""Begin a chapter: ``python -m tools.new_chapter NAME "Title" [--part "The remedies"] [--data NAME ...]``.

Writes ``chapters/NAME.ipynb``, a notebook with the parts of a chapter in their order that runs as it is, and its line
in ``_toc.yml``. What else a chapter has (quizzes, exercises, a plan for teachers) is in CONTRIBUTING.md; ``make test``
names what is missing.
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
from tools.write import stamp

CARD = """# {title}

<div class="admonition note">
<p class="admonition-title">This chapter at a glance</p>

**The question.** One clinical question, in one sentence?

**After this chapter you can**

- say what a reader can do afterwards, three to five times;

**Time.** Minutes to read; minutes to run in fast and in full mode, on two cores.

**You need.** The chapter on the [generalization gap](generalization_gap.ipynb).

**Data.** The synthetic clinic (ours); licences and traps are on the [data sets page](datasets.md).

**Where we are.** The type of shift, and the family of methods.

</div>"""
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
    """The notebook of a new chapter, not stamped yet."""
    cells = [
        nbformat.v4.new_markdown_cell(CARD.format(title=title)),
        nbformat.v4.new_code_cell(""),
        nbformat.v4.new_code_cell('from medgen_utils.data import load\n\nhospitals = load("clinic")'),
    ]
    for heading, (text, code) in PARTS.items():
        cells.append(nbformat.v4.new_markdown_cell(f"## {heading}\n\n{text}"))
        cells += [nbformat.v4.new_code_cell(code)] if code else []
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "medgen": {"data": data}})


def listed(toc: str, name: str, part: str) -> str:
    """The text of _toc.yml with the chapter as the last one of its part. ValueError for a part that is not there."""
    parts = re.findall(r"^  - caption: (.+)$", toc, re.MULTILINE)
    if part not in parts:
        raise ValueError(f"no part {part!r} in _toc.yml: choose from {', '.join(parts)}")
    before, caption, rest = toc.partition(f"  - caption: {part}\n")
    chapters, end, after = rest.partition("  - caption:")
    return f"{before}{caption}{chapters}      - file: chapters/{name}\n{end}{after}"


def begin(name: str, title: str, part: str, data: list[str], root: Path = ROOT) -> Path:
    """Write notebook and line; the notebook's path. ValueError for a bad or a taken name, a part or data unknown."""
    path, toc = root / "chapters" / f"{name}.ipynb", root / "_toc.yml"
    if not name.isidentifier() or name != name.lower():
        raise ValueError(f"{name!r} names no module: small letters and underscores, as in domain_shift")
    if path.exists():
        raise ValueError(f"{path.name} exists: choose another name")
    if unknown := set(data) - set(DATASETS):
        raise ValueError(f"no data sets {sorted(unknown)}: choose from {', '.join(DATASETS)}")
    contents = listed(toc.read_text(encoding="utf-8"), name, part)
    address = wanted(root)
    made = notebook(title, data)
    stamp.stamp_notebook(made, name, address, package.released(root, address.version) if address.slug else "")
    for cell in made.cells:  # as nbformat holds them in memory; the stamp writes lines
        cell.source = "".join(cell.source)
    nbformat.write(made, path)
    toc.write_text(contents, encoding="utf-8")
    return path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("title")
    parser.add_argument("--part", default="The remedies")
    parser.add_argument("--data", nargs="*", default=[])
    given = parser.parse_args(arguments)
    try:
        print(begin(given.name, given.title, given.part, given.data))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
