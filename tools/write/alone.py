"""The live pages without the book around them, for a lecture or a frame in another page: part of ``make write``.

One template for all: `document`. What a page shows until its script runs, its figure, has its size from the picture.
"""

import html
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from tools import ROOT
from tools.write import in_step

PAGES = Path("explorer") / "pages"


class Live(NamedTuple):
    """A live page: its folder, heading, what it is when alone, a description, a sentence with a link, words for its
    figure, and the scripts it loads beside ``live/page.js``."""

    folder: str
    heading: str
    alone: str
    description: str
    what: str
    link: str
    alt: str
    scripts: tuple[str, ...]


LIVE = (
    Live(
        "explore", "Become the scanner", "the explorer alone",
        "Seven sliders make a scanner; two networks answer in the browser.",
        "The explorer alone", "What it shows, and questions.",
        "For each of seven sliders one lesion at three settings, and the AUROC of both networks along the slider.",
        ("explorer.js",),
    ),
    Live(
        "train", "Train it yourself", "the page alone",
        "Four methods train side by side in the browser while you switch the causes of a gap.",
        "The trainings alone", "What they show, and questions.",
        "For no cause and for each of five, the AUROC of four methods along 300 steps, at home and at the new "
        "hospital.",
        ("train.js",),
    ),
    Live(
        "detective", "The sealed hospital", "the game alone",
        "A game: find what differs at a hospital that stays sealed until you commit.",
        "The game alone", "The rules, and a case on paper.",
        "A case on paper: twelve lesions of the training hospitals with their labels, twelve of the sealed hospital "
        "without.",
        ("detective.js",),
    ),
    Live(
        "plan", "Plan a study", "the page alone",
        "How many hospitals, patients and seeds does it take to see a gap or a gain?",
        "The planner alone", "What it computes, and questions.",
        "The chance to see a gap, and a gain of a method, over the number of hospitals, for 50, 200 and 1,000 patients "
        "at each.",
        ("power.js", "spreads.js", "plan.js"),
    ),
)  # fmt: skip


def document(title: str, description: str, heading: str, about: str, style: str, body: str, scripts: tuple[str, ...]):
    """The HTML of a page alone; ``about`` and ``body`` are HTML, ``style`` its own style sheet, "" for none."""
    sheets = [f'<link rel="stylesheet" href="{name}">' for name in ("../live/alone.css", "../explore/explorer.css")]
    sheets += [f'<link rel="stylesheet" href="{style}">'] if style else []
    loaded = [f'<script src="{name}"></script>' for name in ("../live/page.js", *scripts)]
    new_line = "\n"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{html.escape(description)}">
<link rel="icon" href="data:,">
<title>{title}</title>
{new_line.join(sheets)}
<script>
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.dataset.theme = "dark";
</script>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{about}</p>
{body}
</main>
{new_line.join(loaded)}
</body>
</html>
"""


def page(live: Live, size: tuple[int, int]) -> str:
    """The HTML of a live page whose figure has this size (width, height)."""
    own = "" if live.folder == "explore" else f" mg-{live.folder}"
    width, height = size
    link = f'<a href="../chapters/{live.folder}.html">{live.link}</a>'
    return document(
        f"{live.heading}: {live.alone}",
        live.description,
        live.heading,
        f"{live.what}, for a lecture or a frame in another page. {link}",
        f"{live.folder}.css" if own else "",
        f'<div class="mg-explorer{own}">\n'
        f'<img src="figure.webp" width="{width}" height="{height}" alt="{html.escape(live.alt)}">\n</div>',
        live.scripts,
    )


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring the pages in step; the names of those that were not. ``write=False``: no change."""
    wanted = {}
    for live in LIVE:
        folder = root / PAGES / live.folder
        with Image.open(folder / "figure.webp") as figure:
            wanted[folder / "index.html"] = page(live, figure.size)
    return in_step.write_changed(wanted, root, write)
