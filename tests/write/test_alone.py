"""The live pages alone come from one template, each with its own words, style and scripts."""

import re

import pytest

from tools import ROOT
from tools.atlas.page import FOLDER as ATLAS
from tools.write import alone

HEAD = re.compile(r"<(?:title|meta name=.description.|link rel=.stylesheet.)[^\n]*\n")


def test_the_pages_are_in_step():
    assert alone.update(write=False) == [], "run `make write`"


@pytest.mark.parametrize("live", alone.LIVE, ids=lambda live: live.folder)
def test_a_page_loads_its_own_files_and_they_are_there(live):
    folder = ROOT / alone.PAGES / live.folder
    text = (folder / "index.html").read_text(encoding="utf-8")
    for name in re.findall(r'(?:src|href)="([^"#:]+\.(?:css|js|webp))"', text):
        assert (folder / name).is_file(), name
    assert all(f'src="{name}"' in text for name in live.scripts)
    assert f"<h1>{live.heading}</h1>" in text and live.description in text
    assert (ROOT / "chapters" / f"{live.folder}.md").is_file()


def test_all_heads_are_alike_but_for_words_and_style():
    pages = [ROOT / alone.PAGES / live.folder for live in alone.LIVE] + [ROOT / ATLAS]
    heads = {HEAD.sub("", (page / "index.html").read_text(encoding="utf-8").split("</head>")[0]) for page in pages}
    assert len(heads) == 1


def test_a_new_figure_brings_its_size():
    assert 'width="7" height="5"' in alone.page(alone.LIVE[0], (7, 5))
