"""What makes the book from its chapters: ``site`` (pages), ``teach`` (for class), ``write`` (what is derived).

``publish`` (what goes out). Beside them: `address` (where the book lives), `data` (what the chapters need),
`execute` and `sweep` (what trains), `colab` (with Colab's versions), `chapter_size` (what a reader has before them).
Every tool runs from the root of the repository: ``python -m tools.write``, ``python -m tools.site.lighthouse``.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"  # where `make book` writes the site
