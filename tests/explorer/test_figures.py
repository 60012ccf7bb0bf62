"""A live page's figure on paper is shown at its true proportions, in the book and alone."""

import re

import pytest
from PIL import Image

from tools import ROOT

PAGES = sorted(path.parent.name for path in (ROOT / "explorer" / "pages").glob("*/figure.webp"))


@pytest.mark.parametrize("name", PAGES)
def test_the_page_says_the_size_that_its_figure_has(name):
    folder = ROOT / "explorer" / "pages" / name
    with Image.open(folder / "figure.webp") as figure:
        size = tuple(map(str, figure.size))
    for path in (ROOT / "chapters" / f"{name}.md", folder / "index.html"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r'figure\.webp" width="(\d+)" height="(\d+)"', text) == [size], path.name
