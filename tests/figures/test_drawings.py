import re
import tomllib
from xml.etree import ElementTree

import pytest
from IPython.core.interactiveshell import InteractiveShell

from medgen_utils.figures import schematic
from medgen_utils.plotting import PAPER
from tools import ROOT

FOLDER = ROOT / "medgen_utils" / "figures" / "schematics"
NAMES = sorted(path.stem for path in FOLDER.glob("*.svg"))
PHONE, SMALLEST = 350, 13  # CSS pixels: the text column of a phone of 390, and the smallest letters there
SVG = "{http://www.w3.org/2000/svg}"
schematics = pytest.mark.parametrize("name", NAMES)


def test_a_notebook_shows_svg_and_passes_on_the_words():
    shown = schematic("four-ways-to-test")
    data, metadata = InteractiveShell.instance().display_formatter.format(shown)
    assert data["image/svg+xml"].startswith("<svg") and data["text/plain"] == shown.alt
    assert metadata["image/svg+xml"]["alt"] == shown.alt
    assert shown.alt.startswith("Four ways to test a model: Rows of four boxes") and "\n" not in shown.alt


def test_unknown_name_lists_those_there_are():
    with pytest.raises(KeyError, match=r"'five-ways': choose from .*four-ways-to-test"):
        schematic("five-ways")


def test_drawings_travel_with_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "schematics/*.svg" in project["tool"]["setuptools"]["package-data"]["medgen_utils.figures"]


@schematics
def test_drawing_says_what_it_shows(name):
    root = ElementTree.parse(FOLDER / f"{name}.svg").getroot()
    assert root.get("role") == "img"
    assert len(root.findtext(f"{SVG}title")) >= 5 and len(root.findtext(f"{SVG}desc")) >= 40


@schematics
def test_drawing_is_read_on_a_phone_and_on_a_dark_page(name):
    """Letters of 13 pixels in a column of 350, an opaque ground, nothing from elsewhere."""
    svg = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    assert float(root.get("width")) / float(root.get("height")) == pytest.approx(width / height, rel=0.01)
    sizes = [float(size) for size in re.findall(r'font-size[=:]"?\s*([\d.]+)', svg)]
    assert sizes and min(sizes) * PHONE / width >= SMALLEST
    ground = next(root.iter(f"{SVG}rect"))
    assert ground.get("fill") == PAPER and (ground.get("width"), ground.get("height")) == (f"{width:g}", f"{height:g}")
    assert not re.search(r"(href|src)=|url\((?!#)|@import|<script", svg)
