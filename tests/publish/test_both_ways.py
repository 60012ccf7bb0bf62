"""The site with an address and without one: every link of both is followed, and a page says of itself what is true."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.publish.conftest import copy_of
from tests.site.test_site import PAGES
from tests.test_contributing import blocks
from tools import ROOT, SITE
from tools.address import Address, wanted
from tools.publish import links, steps

FORK = "https://github.com/someone/their-book"


class Built(NamedTuple):
    """A built site, the checkout it is of, and its address."""

    site: Path
    root: Path
    address: Address

    def of(self, page: str):
        return links.soup(self.site / f"{page}.html")

    def hrefs(self, page: str, part: str) -> list[str]:
        return [link["href"] for link in self.of(page).select("a[href]") if part in link["href"]]


def other_way(folder: Path) -> Path:
    """A copy of the checkout with an address where this one has none, and none where it has one; and one page more."""
    root = copy_of(ROOT, folder)
    (root / "chapters" / "a_page.md").write_text("# A page\n\nThis page is added as the guide for authors says.\n")
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text(encoding="utf-8").rstrip("\n") + "\n" + blocks("Add a page", "yaml")[0])
    steps.write("" if wanted().slug else FORK, root)
    return root


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> dict[bool, Built]:
    """Published or not -> the site: one is that of `make book`, the other is built here."""
    if not SITE.is_dir():
        pytest.skip("the site is not built: run `make book` first")
    root = other_way(tmp_path_factory.mktemp("fork") / "book")
    command = [Path(sys.executable).parent / "jupyter-book", "build", str(root), "-q", "-W", "-n", "--keep-going"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    both = [Built(SITE, ROOT, wanted()), Built(root / "_build" / "html", root, wanted(root))]
    return {bool(built.address.slug): built for built in both}


@pytest.fixture(params=[False, True], ids=["no address", "an address"])
def built(sites, request) -> Built:
    return sites[request.param]


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(built):
    assert links.problems(built.site, built.root) == []
    assert links.broken_files(built.root) == []


def test_a_page_added_as_the_guide_says_is_built_and_in_the_menu(sites):
    more = sites[not wanted().slug]
    assert more.of("chapters/a_page").h1.get_text().startswith("A page")
    assert more.hrefs("chapters/index", "a_page.html")


def test_without_an_address_no_page_names_one_and_with_one_no_page_names_another(built, sites):
    mine, other = (sites[there].address.repository for there in (bool(built.address.slug), not built.address.slug))
    texts = [path.read_text(encoding="utf-8") for path in links.pages(built.site)]
    assert not other or not any(f"{other}/" in text for text in texts)
    assert not mine or all(f"{mine}/" in text for text in texts if "mg-stamp" in text)
    if not mine:
        assert not any(f"{words}</a>" in text for text in texts for words in ("this page", "Open in Colab"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_published_site_leads_to_its_source_its_form_and_colab(sites, page):
    built, slug = sites[True], sites[True].address.slug
    notebook = (ROOT / f"{page}.ipynb").is_file()
    assert len(built.hrefs(page, "/edit/")) == 2 and len(reports := built.hrefs(page, "/issues/new")) == 2
    expected = {"template": ["problem.yml"], "chapter": [page.rpartition("/")[2]], "version": [built.address.version]}
    assert [parse_qs(urlsplit(link).query) for link in reports] == [expected] * 2
    launch = {f"https://colab.research.google.com/github/{slug}/blob/main/{page}.ipynb"} if notebook else set()
    assert set(built.hrefs(page, "colab.research.google.com")) == launch


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_where_it_is_only_where_that_is_known(built, page):
    head = built.of(page).head
    said = {tag["content"] for tag in head.select("meta[property='og:url']")}
    said |= {tag["href"] for tag in head.select("link[rel=canonical]")}
    assert said == ({f"{built.address.pages}{page}.html"} if built.address.slug else set())


def test_the_picture_of_link_previews_exists_in_the_right_size(sites):
    place = sites[True].of(PAGES[0]).find("meta", property="og:image")["content"]
    with Image.open(sites[True].site / place.removeprefix(sites[True].address.pages)) as picture:
        assert picture.size == (1200, 630)


def test_search_engines_get_a_list_of_pages_where_the_site_has_an_address(sites):
    site, base = sites[True].site, sites[True].address.pages
    found = {place.text for place in ElementTree.parse(site / "sitemap.xml").findall(".//{*}loc")}
    assert {f"{base}{page}.html" for page in PAGES} == found - {f"{base}chapters/a_page.html"}
    assert f"Sitemap: {base}sitemap.xml" in (site / "robots.txt").read_text(encoding="utf-8")
    assert not (sites[False].site / "sitemap.xml").exists()
    assert "Sitemap" not in (sites[False].site / "robots.txt").read_text(encoding="utf-8")
