"""The experiment of the home page says and draws the numbers of the first chapter."""

import re
from xml.etree import ElementTree

import pytest

from tools import ROOT, home
from tools.claims.ledger import Value

HOME = Value("0.86", 0.86)
CHANGES = {
    "Cairo": Value("+0.01 (-0.04 to +0.06)", 0.01, -0.04, 0.06),
    "Ciudad Real": Value("+0.12 (+0.02 to +0.22)", 0.12, 0.02, 0.22),
    "Poland": Value("-0.13 (-0.24 to -0.03)", -0.13, -0.24, -0.03),
}
SVG = "{http://www.w3.org/2000/svg}"


def test_page_and_drawing_are_those_of_the_chapter():
    assert home.update(write=False) == [], "run `make write`"


def test_the_sentence_sorts_the_sites_by_their_interval():
    said = home.sentence(CHANGES)
    assert said == (
        "The same network loses in Poland: -0.13 (-0.24 to -0.03); it gains in Ciudad Real: +0.12 (+0.02 to +0.22); "
        "it cannot be told from home in Cairo."
    )
    assert home.sentence({"Cairo": CHANGES["Poland"], "Poland": CHANGES["Poland"]}) == (
        "The same network loses in Cairo and Poland: -0.13 (-0.24 to -0.03), -0.13 (-0.24 to -0.03)."
    )


def test_points_and_intervals_lie_where_their_numbers_are():
    root = ElementTree.fromstring(home.drawing(HOME, CHANGES))
    centres = [float(circle.get("cx")) for circle in root.iter(f"{SVG}circle")]
    assert sorted(centres) == [centres[2], centres[0], centres[1]]
    zero = home.LEFT + (home.RIGHT - home.LEFT) * -home.LOWEST / (home.HIGHEST - home.LOWEST)
    scale = (home.RIGHT - home.LEFT) / (home.HIGHEST - home.LOWEST)
    assert centres == pytest.approx([zero + scale * change.value for change in CHANGES.values()], abs=0.1)
    bars = [line for line in root.iter(f"{SVG}line") if line.get("stroke-width") == "3"]
    assert [float(bar.get("x1")) for bar in bars] == pytest.approx(
        [zero + scale * change.low for change in CHANGES.values()], abs=0.1
    )
    assert float(bars[1].get("x2")) == home.RIGHT, "what is beyond the axis ends at its edge"
    assert [bar.get("stroke") for bar in bars] == [home.BLUE, home.BLUE, home.ORANGE]


def test_drawing_is_read_on_a_phone_and_says_what_it_shows():
    svg = home.drawing(HOME, CHANGES)
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}desc") == home.words(HOME, CHANGES) and "Poland -0.13 (-0.24 to -0.03)" in svg
    width = float(root.get("viewBox").split()[2])
    assert min(map(float, re.findall(r'font-size="(\d+)"', svg))) * 350 / width >= 13


def test_paper_lies_under_each_number_and_over_the_upright_lines():
    drawn = list(ElementTree.fromstring(home.drawing(HOME, CHANGES)))
    last_upright = max(i for i, part in enumerate(drawn) if part.get("y2") == "204")
    numbers = [(i, part) for i, part in enumerate(drawn) if part.get("fill") in (home.BLUE, home.ORANGE) and part.text]
    assert len(numbers) == len(CHANGES)
    for i, number in numbers:
        paper = drawn[i - 1]
        assert i - 1 > last_upright and paper.tag == f"{SVG}rect" and paper.get("fill") == home.PAPER
        left, top, width, height = (float(paper.get(key)) for key in ("x", "y", "width", "height"))
        assert left + width / 2 == pytest.approx(float(number.get("x")), abs=0.06)
        assert top < float(number.get("y")) - 11 and top + height > float(number.get("y"))


def test_a_page_without_its_marks_is_refused(tmp_path):
    for name in ("results/generalization_gap.csv", "index.md"):
        (tmp_path / "chapters" / name).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / "chapters" / name).read_text(encoding="utf-8")
        (tmp_path / "chapters" / name).write_text(text.replace(home.BEGIN, ""), encoding="utf-8")
    with pytest.raises(ValueError, match=r"index\.md has no place .*% experiment"):
        home.update(tmp_path)
