"""A page of a few lines with the book's own scripts and style, for tests that need no built site."""

from pathlib import Path

from tools import ROOT

STATIC = ROOT / "chapters" / "_static"
COLOURS = (
    "<style>html { --pst-color-text-base: #22262b; background: #fdfdfb; } "
    "body { max-width: 45rem; } figure { margin: 0; }</style>"
)


def write(folder: Path, body: str, *scripts: str) -> str:
    """Write a page whose article is ``body``; its address on the disk."""
    tags = "".join(f'<script defer src="{(STATIC / script).as_uri()}"></script>' for script in scripts)
    head = (
        f'<meta charset="utf-8"><title>A page</title><link rel="stylesheet" href="{(STATIC / "custom.css").as_uri()}">'
    )
    path = folder / "page.html"
    path.write_text(
        f'<!doctype html><html lang="en"><head>{head}{COLOURS}{tags}</head>'
        f'<body><main><h1>A page</h1><article class="bd-article">{body}</article></main></body></html>',
        encoding="utf-8",
    )
    return path.as_uri()
