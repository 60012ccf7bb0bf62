"""What a chapter notebook must keep to, so that it reads well on the site, in Colab, on GitHub and in JupyterLab.

Each function takes a notebook (nbformat 4, as a dict) and returns a list of problems, empty when all is well.
"""

import json
import re
from itertools import pairwise
from pathlib import Path

MAX_CELL_LINES = 35
MARKS = re.compile(r"NBVAL_\w+|### (?:BEGIN|END) SOLUTION")
FENCED = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE_OR_MATH = re.compile(r"`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
TAG = re.compile(r"</?([a-zA-Z][\w-]*)[^>]*>")
ALLOWED_TAGS = (
    re.compile(r'<div class="admonition( [\w-]+)*">|</div>'),
    re.compile(r'<p class="admonition-title">|</p>'),
    re.compile(r"</?(details|summary|kbd|sub|sup)>|<br/?>"),
)
FORBIDDEN = (
    (re.compile(r"\{[a-zA-Z][\w:.-]*\}`"), "a MyST role"),
    (re.compile(r"^\s*(```|~~~)\s*\{", re.MULTILINE), "a MyST directive"),
    (re.compile(r"^\s*:::", re.MULTILINE), "a MyST colon fence"),
    (re.compile(r"^\([\w-]+\)=\s*$", re.MULTILINE), "a MyST target"),
    (re.compile(r"\{\{.*?\}\}"), "a substitution"),
)


def read(path: Path) -> dict:
    """A notebook as the file holds it."""
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: dict) -> str:
    """The text of a cell, which a file holds as one string or as a list of lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def _cells(notebook: dict, kind: str) -> list[tuple[int, dict]]:
    return [(i, cell) for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == kind]


def markdown_problems(notebook: dict) -> list[str]:
    """Markdown beyond headings, text, $...$, tables, links, details and admonition divs."""
    problems = []
    for i, cell in _cells(notebook, "markdown"):
        text = source(cell)
        found = [what for pattern, what in FORBIDDEN if pattern.search(FENCED.sub("", text))]
        found += ["a MyST directive"] if re.search(r"^\s*(```|~~~)\s*\{", text, re.MULTILINE) else []
        plain = CODE_OR_MATH.sub("", FENCED.sub("", text))
        found += ["an image (draw it in a code cell)"] if re.search(r"!\[", plain) else []
        for tag in TAG.finditer(plain):
            if not any(pattern.fullmatch(tag[0]) for pattern in ALLOWED_TAGS):
                found.append(f"the tag {tag[0]}")
        found += _block_problems(text)
        problems += [f"cell {i}: {what}" for what in dict.fromkeys(found)]
    return problems


def _block_problems(text: str) -> list[str]:
    """HTML blocks show their Markdown only between blank lines; display math stands on lines of its own."""
    problems = []
    lines = text.split("\n")
    for i, line in enumerate(lines):
        opens = line.rstrip().endswith("</summary>") or line.startswith('<p class="admonition-title">')
        if opens and i + 1 < len(lines) and lines[i + 1].strip():
            problems.append(f"no blank line after {line.strip()[:40]!r}")
        if line.strip() in ("</div>", "</details>") and i and lines[i - 1].strip():
            problems.append(f"no blank line before {line.strip()!r}")
        if "$$" in line and line.strip() != "$$":
            problems.append("display math: put $$ on a line of its own")
    return problems


def heading_problems(notebook: dict) -> list[str]:
    """One h1, in the first cell, and no skipped level."""
    levels = []
    for i, cell in _cells(notebook, "markdown"):
        text = FENCED.sub("", source(cell))
        levels += [(i, len(marks)) for marks in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]
    problems = []
    if [i for i, level in levels if level == 1] != [0]:
        problems.append("a chapter has one h1, in its first cell")
    for (_, before), (i, level) in pairwise(levels):
        if level > before + 1:
            problems.append(f"cell {i}: a heading skips from level {before} to {level}")
    return problems


def code_problems(notebook: dict) -> list[str]:
    """Cells that are too long, carry marks for a tool, were not run in order, or ended in an error."""
    problems = []
    run = [(i, cell) for i, cell in _cells(notebook, "code") if source(cell).strip()]
    for number, (i, cell) in enumerate(run, start=1):
        lines = source(cell).count("\n") + 1
        if lines > MAX_CELL_LINES:
            problems.append(f"cell {i}: {lines} lines, more than {MAX_CELL_LINES}")
        if mark := MARKS.search(source(cell)):
            problems.append(f"cell {i}: {mark[0]!r} is for a tool, not for readers: use a tag (nbval-check-output)")
        if cell["execution_count"] != number:
            problems.append(f"cell {i}: execution count {cell['execution_count']} instead of {number}")
        expected = "raises-exception" in cell["metadata"].get("tags", [])
        if not expected and any(output["output_type"] == "error" for output in cell["outputs"]):
            problems.append(f"cell {i}: the stored output is an error")
    executed = notebook["metadata"].get("medgen", {}).get("executed", {})
    if executed.get("mode") != "full":
        problems.append("the stored outputs are not those of `make execute` (full mode)")
    return problems


def output_problems(notebook: dict) -> list[str]:
    """Stored outputs that the site cannot show well: pictures without words, widgets, warnings, remote files."""
    problems = ["widget state in the metadata"] if "widgets" in notebook["metadata"] else []
    for i, cell in _cells(notebook, "code"):
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
        for output in cell["outputs"]:
            data = output.get("data", {})
            own = [part.get("alt", "") for kind, part in output.get("metadata", {}).items() if kind in data]
            if any(kind.startswith("image/") for kind in data) and len(max([alt, *own], key=len).strip()) < 20:
                problems.append(f"cell {i}: a figure needs words: metadata mystnb.image.alt, 20 characters or more")
            if any("widget-view" in kind for kind in data):
                problems.append(f"cell {i}: a stored widget does not move on the site; use medgen_utils.widgets")
            if output.get("name") == "stderr":
                problems.append(f"cell {i}: output on stderr (a warning or a progress bar)")
            problems += [f"cell {i}: {what}" for what in _html_problems("".join(data.get("text/html", "")))]
    return problems


def _html_problems(html: str) -> list[str]:
    problems = []
    for image in re.findall(r"<img\b[^>]*>", html):
        if not re.search(r'\balt="[^"]{20,}"', image):
            problems.append("an <img> in an output needs an alt text of 20 characters or more")
    if re.search(r"""\b(src|href)=["']?(https?:)?//[^"'>]+\.(js|css|png|svg|jpg|webp)\b""", html):
        problems.append("an output loads a file from another host")
    return problems


ALL = (markdown_problems, heading_problems, code_problems, output_problems)
