"""The quizzes of a chapter: one YAML file is the master, the cells in the notebook and the files for class are derived.

``chapters/quizzes/NAME.yml`` is a list of blocks; each is shown in the chapter's cell that begins with its title::

    - block: Check yourself
      questions:
        - name: leakage                 # names the question in Moodle
          context: what the chapter has told by then, where the question needs it; for use outside the chapter only
          text: |-
            Markdown, one sentence a line.
          prediction: true              # only where the reader guesses before the experiment: no option is wrong
          options:
            - text: one line
              correct: true             # of exactly one option, unless the question is a prediction
              feedback: one line

In the notebook every option folds out to its feedback (``<details>``): no script, usable by keyboard, readable in Colab
and on GitHub. For class there are Moodle's GIFT format, a printable sheet, and a key.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import yaml

from tools import ROOT

LETTERS = "ABCDEFGH"
PREDICTION = "<p><em>A prediction: no answer is wrong before the experiment.</em></p>"


def read(chapter: str, root: Path = ROOT) -> list[dict]:
    """The blocks of a chapter's quizzes, [] where it has none. ValueError where something is missing, or a name is not
    one block's own: the second would be written over the first."""
    path = root / "chapters" / "quizzes" / f"{chapter}.yml"
    blocks = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    if twice := sorted(name for name, n in Counter(block["block"] for block in blocks).items() if n > 1):
        raise ValueError(f"{path.name}: {twice} name two blocks: give each a heading of its own")
    for question in (question for block in blocks for question in block["questions"]):
        where = f"{path.name}, {question.get('name')}"
        right = [option for option in question["options"] if option.get("correct")]
        if len(right) != (0 if question.get("prediction") else 1):
            raise ValueError(f"{where}: {len(right)} options are correct: one is, or none of a prediction")
        for option in question["options"]:
            if not option["text"].strip() or not option.get("feedback", "").strip():
                raise ValueError(f"{where}: every option needs a text and a feedback of its own")
    return blocks


def markdown(block: dict) -> str:
    """The Markdown cell of a block."""
    parts = [f"### {block['block']}"]
    for question in block["questions"]:
        options = [
            f"<details><summary>{letter}. {option['text']}</summary>\n\n{option['feedback']}\n\n</details>"
            for letter, option in zip(LETTERS, question["options"], strict=False)
        ]
        parts += [question["text"].strip(), "\n".join(options)]
    return "\n\n".join(parts)


def write_cells(notebook: dict, blocks: list[dict]) -> None:
    """Write the quiz cells of a chapter (nbformat 4) anew. ValueError where no cell begins with the block's title."""
    for block in blocks:
        title = f"### {block['block']}\n"
        cells = [cell for cell in notebook["cells"] if cell["source"].startswith(title)]
        if len(cells) != 1:
            raise ValueError(f"{len(cells)} cells begin with {title.strip()!r}: a block has one cell of its own")
        cells[0]["source"] = markdown(block)


def _whole_text(question: dict) -> str:
    """The question as it can stand outside the chapter."""
    return f"{question.get('context', '')}\n\n{question['text']}".strip()


def _inline(html: str) -> str:
    """A single paragraph without its tags."""
    return re.sub(r"\A\s*<p>((?:(?!<p>).)*)</p>\s*\Z", r"\1", html, flags=re.DOTALL)


def gift_escape(text: str) -> str:
    """The text on one line, with GIFT's own characters escaped."""
    text = re.sub(r"([\\~=#{}:])", r"\\\1", text)
    return re.sub(r"\s*\n\s*", " ", text.strip())


def gift(chapter: str, blocks: list[dict], to_html: Callable[[str], str]) -> str:
    """All questions in Moodle's GIFT format; of a prediction, which has no wrong option, each is worth full marks."""
    lines = ["// Moodle: question bank, import, GIFT format.", f"$CATEGORY: $course$/{chapter}", ""]
    for question in (question for block in blocks for question in block["questions"]):
        lines.append(f"::{gift_escape(question['name'])}::[html]{gift_escape(to_html(_whole_text(question)))} {{")
        for i, option in enumerate(question["options"]):
            guess = "=" if i == 0 else "~%100%"  # a single "=" keeps it a question with one choice
            mark = guess if question.get("prediction") else "=" if option.get("correct") else "~"
            words = (gift_escape(_inline(to_html(option[part]))) for part in ("text", "feedback"))
            lines.append("\t" + mark + "#".join(words))
        lines += ["}", ""]
    return "\n".join(lines)


def sheet(blocks: list[dict], to_html: Callable[[str], str], key: bool) -> str:
    """The questions as HTML to print; with ``key`` the right options and all feedback."""
    parts = []
    for block in blocks:
        parts.append(f"<h2>{block['block']}</h2>")
        for question in block["questions"]:
            options = []
            for letter, option in zip(LETTERS, question["options"], strict=False):
                mark = "&#x2610;" if not key else "&#x2713;" if option.get("correct") else ""
                feedback = f'<div class="feedback">{to_html(option["feedback"])}</div>' if key else ""
                options.append(
                    f'<li class="option"><span class="mark">{mark}</span><span class="letter">{letter}</span>'
                    f"<div>{_inline(to_html(option['text']))}{feedback}</div></li>"
                )
            note = PREDICTION if key and question.get("prediction") else ""
            parts.append(
                f'<section class="question">{to_html(_whole_text(question))}{note}'
                f'<ul class="options">{"".join(options)}</ul></section>'
            )
    return "\n".join(parts)
