"""The literature map as written: in step, the same in Markdown and HTML, every link to something that is there."""

import re

import pytest
from bs4 import BeautifulSoup

from tools import ROOT
from tools.atlas import page
from tools.atlas.page import Piece
from tools.atlas.works import load
from tools.claims import ledger, places

CHAPTER = (ROOT / "chapters" / "atlas.md").read_text(encoding="utf-8")
ALONE = BeautifulSoup((ROOT / page.FOLDER / "index.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def atlas():
    return load()


def test_page_and_table_are_those_of_the_entries():
    assert page.update(write=False) == [], "run `make write`"


def test_both_tables_say_the_same(atlas):
    rows = [line for line in CHAPTER.split("\n") if line.startswith("| [")]
    marks = re.compile(r"\[((?:[^\[\]])*)\]\([^)]*\)|\*\*|(?<!\w)\*|\*(?!\w)|`")

    def plain(text: str) -> str:
        return re.sub(r"\*\*|(?<!\w)\*|\*(?!\w)|`", "", marks.sub(lambda m: m[1] or "", text)).strip()

    written = [[plain(cell) for cell in row.strip("| ").split(" | ")] for row in rows]
    shown = [[cell.get_text().strip() for cell in row("td")] for row in ALONE.select(".mg-atlas-works tbody tr")]
    assert len(shown) == len(rows) == len(atlas.works)
    for own, other in zip(written, shown, strict=True):
        assert [cell for cell in own if cell] == [cell for cell in other if cell]


def test_links_lead_to_works_claims_and_cells_that_are_there(atlas):
    keys, claims = {work.key for work in atlas.works}, {claim.id for claim in ledger.load()}
    for place, anchor in re.findall(r"\]\((\w+\.(?:md|ipynb))(?:#([\w-]+))?\)", CHAPTER):
        assert (ROOT / "chapters" / place).is_file()
        kind, _, name = anchor.partition("-")
        there = {"ref": keys, "claim": claims}
        if kind == "cell":
            assert places.has(ROOT, place.removesuffix(".ipynb"), name)
        elif kind:
            assert name in there[kind]


def test_the_page_says_what_it_lacks():
    assert "77 articles" in CHAPTER and "none is marked here" in CHAPTER


def test_cells_are_written_in_both_languages():
    cell = [
        Piece("Doe 2020", "references.md#ref-doe", "strong"),
        Piece(": A & B."),
        Piece(" Fine.", style="em"),
        Piece("; C", "x.ipynb"),
    ]
    assert page.to_markdown(cell) == "[**Doe 2020**](references.md#ref-doe): A & B. *Fine.*[; C](x.ipynb)"
    assert page.to_html(cell) == (
        '<a href="../chapters/references.html#ref-doe"><strong>Doe 2020</strong></a>: A &amp; B.<em> Fine.</em>'
        '<a href="../chapters/x.html">; C</a>'
    )


def test_the_drawing_is_the_schematic_of_the_chapter():
    own = (ROOT / page.FOLDER / "graphs.svg").read_text(encoding="utf-8")
    assert own == (ROOT / page.GRAPHS).read_text(encoding="utf-8") and page.words().startswith("Four kinds of shift")


def test_a_page_without_its_place_is_refused(tmp_path):
    (tmp_path / "medgen_utils").symlink_to(ROOT / "medgen_utils")
    (tmp_path / "_toc.yml").symlink_to(ROOT / "_toc.yml")
    (tmp_path / "chapters").mkdir()
    for path in (ROOT / "chapters").iterdir():
        if path.name != "atlas.md":
            (tmp_path / "chapters" / path.name).symlink_to(path)
    (tmp_path / "chapters" / "atlas.md").write_text("# Map\n")
    with pytest.raises(ValueError, match=r"atlas\.md has no place .*% atlas"):
        page.update(tmp_path)
