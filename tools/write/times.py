"""How long a chapter takes, from what it holds: minutes to read in its card, and a table for teachers.

Reading is a rule: `WORDS` words a minute, half a minute for a figure or a table, `LINE` seconds for a line of visible
code, in steps of five minutes. Running is the time that the committed outputs took in full mode, which the notebook
says itself.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

from tools import ROOT
from tools.chapter_size import UNSEEN, of
from tools.write import in_step

WORDS, FIGURE, LINE, STEP = 150, 0.5, 4 / 60, 5
PICTURES = {"image/png", "image/svg+xml", "image/jpeg"}
CARD = re.compile(r"(\*\*Time\.\*\* )\d+( minutes to read)")
FULL = re.compile(r"\d+ minutes?( in full mode)")
BEGIN, END = "<!-- begin times -->", "<!-- end times -->"


class Times(NamedTuple):
    """Of a chapter: words, figures and tables, lines of visible code, minutes to read and to run (None: unknown)."""

    words: int
    figures: int
    lines: int
    read: int
    run: int | None


def measure(notebook: dict) -> Times:
    """The times of a notebook (nbformat 4, with its outputs)."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    seen = [cell for cell in code if UNSEEN.isdisjoint(cell["metadata"].get("tags", []))]
    lines = sum("".join(cell["source"]).count("\n") + 1 for cell in seen)
    shown = [set(output.get("data", {})) for cell in code for output in cell["outputs"]]
    figures = sum(bool(kinds & PICTURES) or "text/html" in kinds for kinds in shown)
    words = of(notebook).words
    minutes = words / WORDS + figures * FIGURE + lines * LINE
    seconds = notebook["metadata"].get("medgen", {}).get("executed", {}).get("seconds")
    return Times(words, figures, lines, max(STEP, STEP * round(minutes / STEP)), _minutes(seconds))


def _minutes(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds / 60))


def chapters(root: Path = ROOT) -> list[Path]:
    """The notebooks of the chapters, in the order of the table of contents."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    paths = [root / f"{name}.ipynb" for name in names if name.startswith("chapters/") and name.count("/") == 1]
    return [path for path in paths if path.exists()]


def table(found: dict[Path, Times], titles: dict[Path, str]) -> str:
    """The table for teachers, a row a chapter."""
    rows = ["| chapter | words | figures and tables | lines of code | minutes to read | minutes to run in full |"]
    rows.append("|---" * 6 + "|")
    for path, times in found.items():
        link = f"[{titles[path]}](../{path.name})"
        rows.append(
            f"| {link} | {times.words:,} | {times.figures} | {times.lines} | {times.read} | {times.run or ''} |"
        )
    return "\n".join(rows)


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring cards and table in step; the names of the files that were not. ValueError for a card without a time."""
    wanted, found, titles = {}, {}, {}
    for path in chapters(root):
        notebook = nbformat.read(path, as_version=4)
        times = found[path] = measure(notebook)
        titles[path] = notebook["cells"][0]["source"].split("\n")[0].removeprefix("# ")
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text)
        card = "".join(raw["cells"][0]["source"])
        if not CARD.search(card):
            raise ValueError(f'{path.name}: its card needs a line "**Time.** N minutes to read, ..."')
        new = CARD.sub(rf"\g<1>{times.read}\g<2>", card)
        if times.run:
            new = FULL.sub(f"{times.run} minute{'s' * (times.run > 1)}\\g<1>", new)
        raw["cells"][0]["source"] = new.splitlines(True)
        wanted[path] = text if new == card else json.dumps(raw, indent=1, ensure_ascii=False) + "\n"
    page = root / "chapters" / "teaching" / "index.md"
    text = in_step.between(page.read_text(encoding="utf-8"), BEGIN, END, table(found, titles), page.name)
    return in_step.write_changed(wanted | {page: text}, root, write)
