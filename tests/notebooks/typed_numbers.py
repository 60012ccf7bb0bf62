"""Find results that somebody typed: numbers in prose come from the run, or from a source that is linked.

What looks like a result: a decimal fraction (0.87), a percentage (87 %), a count of a whole (3 of 4), a factor or a
difference (3 times, 20 points). Code, formulas, quoted speech and addresses of links are no prose. A paragraph is the
text between blank lines, and each list item and table row by itself. In it such a number is allowed where

* it is the literature's: the paragraph links to a source (an entry of the references, or a page outside);
* it is a setting: code near by (NEAR cells before or after), or code in the text, has the same number (70 % is 0.7);
* it is part of a question: the cell holds answers to unfold or stands under Exercises, and its numbers are invented;
* it is a definition: the level of an interval or of a test, chance, a version.
"""

import ast
import re

from tests.notebooks.notebook_rules import source

RESULT = re.compile(
    r"(?<![\w.])(?:\d+ (?:out )?of \d+\b|[+\-−]?\d[\d,]*(?:\.\d+)?(?: ?%| points\b| times\b)|[+\-−]?\d[\d,]*\.\d+)"
)
CODE = (re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL), re.compile(r"`[^`\n]*`"))
NO_PROSE = (
    re.compile(r"\A---\n.*?^---$", re.MULTILINE | re.DOTALL),  # front matter: its values are filled in by code
    *CODE,
    re.compile(r"^%.*$", re.MULTILINE),
    re.compile(r"<svg.*?</svg>", re.DOTALL),
    re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$|<[^>]+>", re.DOTALL),
    re.compile(r'"[^"\n]{1,300}"'),
)
TARGET = re.compile(r"\]\([^)]*\)|https?://\S+")
SOURCE = re.compile(r"references\.md#ref-|https?://")
DEFINITION = re.compile(
    r"(?:middle )?95 % (?:bootstrap |confidence )?(?:interval|of them)|5 % level|0\.5 is a coin|chance:? [\d.]+(?: %)?"
    r"|1\.96 standard errors|p value near 0\.05|CC BY[-\w]* 4\.0|(?:Python|WILDS) \d\.\d+"
)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?: ?%)?")
NEAR = 4


def in_markdown(text: str, settings: frozenset[float] = frozenset()) -> list[str]:
    """The results typed into Markdown text; ``settings`` are numbers of code, beside those of the code in the text."""
    settings |= _settings_of(text)
    found = []
    for paragraph in _paragraphs(text):
        if SOURCE.search(paragraph):
            continue
        prose = DEFINITION.sub("", TARGET.sub("]", paragraph))
        typed = [match for match in RESULT.findall(prose) if not _is_setting(match, settings)]
        found += [f"{match!r} in {_around(prose, match)!r}" for match in typed]
    return found


def in_notebook(notebook: dict) -> list[str]:
    """The results typed into a chapter: into text, captions, alt texts and the fixed words of computed sentences."""
    cells = list(enumerate(notebook["cells"]))
    trees = {i: _tree(source(cell)) for i, cell in cells if cell["cell_type"] == "code"}
    constants = {i: _constants(tree) for i, tree in trees.items()}
    found, exercises = [], False
    for i, cell in cells:
        text = source(cell)
        settings = frozenset().union(*(constants.get(k, ()) for k in range(i - NEAR, i + NEAR + 1)))
        if cell["cell_type"] == "markdown":
            headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
            exercises = headings[-1].startswith("Exercise") if headings else exercises
            texts = [] if exercises or "<details>" in text else [text]
        else:
            figure = cell["metadata"].get("mystnb", {})
            texts = [figure.get("image", {}).get("alt", ""), figure.get("figure", {}).get("caption", "")]
            texts += _fixed_words(trees[i])
        found += [f"cell {i}: {what}" for text in texts for what in in_markdown(text, settings)]
    return found


def in_module(text: str) -> list[str]:
    """The results typed into the sentences that a module of the package makes, ``Markdown(...)``."""
    tree = ast.parse(text)
    return [what for words in _fixed_words(tree) for what in in_markdown(words, _constants(tree))]


def in_schematic(text: str) -> list[str]:
    """The results typed into the words of an SVG file."""
    words = re.findall(r">([^<>]+)<", re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL))
    return in_markdown("\n\n".join(words))


def reports_without_source(notebook: dict) -> list[str]:
    """Rows of a table on 'what others report' that neither link to a source nor ask a question."""
    found = []
    for i, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            rows = "".join(output.get("data", {}).get("text/markdown", "")).split("\n")
            if rows[0].startswith("| what others report"):
                reports = [row.split(" | ")[0] for row in rows[2:] if row.startswith("|")]
                found += [f"cell {i}: {row!r}" for row in reports if not (SOURCE.search(row) or row.endswith("?"))]
    return found


def _tree(source: str) -> ast.AST:
    """The syntax tree of a code cell, without the lines that speak to IPython."""
    return ast.parse(re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))


def _constants(tree: ast.AST) -> frozenset[float]:
    """The numbers in code, and those in the names by which a computed sentence looks its values up."""
    values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    looked_up = [node.value for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)]
    names = " ".join(name.value for value in looked_up for name in ast.walk(value) if _is_text(name))
    return frozenset(float(value) for value in values if type(value) in (int, float)) | _numbers(names)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _numbers(text: str) -> frozenset[float]:
    return frozenset(_plain(number) for number in NUMBER.findall(text))


def _settings_of(text: str) -> frozenset[float]:
    """The numbers in the code blocks and code spans of a Markdown text."""
    return _numbers(" ".join(match[0] for pattern in CODE for match in pattern.finditer(text)))


def _paragraphs(text: str) -> list[str]:
    for pattern in NO_PROSE:
        text = pattern.sub(" ", text)
    return re.split(r"\n\s*\n|\n(?=\s*(?:[-*|:]|\d+\.)\s)", text)


def _plain(number: str) -> float:
    value = float(number.rstrip("% ").replace(",", "").lstrip("+-−"))
    return round(value / 100 if number.endswith("%") else value, 10)


def _is_setting(match: str, settings: frozenset[float]) -> bool:
    """Whether a result is the number of a setting; counts of a whole, factors and differences never are."""
    return not re.search(r"of|points|times", match) and _plain(match) in settings


def _around(text: str, match: str) -> str:
    where = text.index(match)
    return " ".join(text[max(0, where - 40) : where + len(match) + 20].split())


def _fixed_words(tree: ast.AST) -> list[str]:
    """The text of every ``Markdown(...)`` in a code cell, each computed part replaced by a letter."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return ["".join(_words(call)) for call in calls if getattr(call.func, "id", "") == "Markdown"]


def _words(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.FormattedValue):
        return ["x"]
    return [word for child in ast.iter_child_nodes(node) for word in _words(child)]
