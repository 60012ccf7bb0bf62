"""What the link check takes for a link that leads somewhere, and that it sees each kind that does not."""

from pathlib import Path

import pytest

from tools.address import Address
from tools.publish import links, package

MINE = Address("owner/name", "1.2.0")
NONE = Address("", "1.2.0")
REPOSITORY = "https://github.com/owner/name"


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout with a chapter, a form, a release, and a site of two pages."""
    for name, text in {
        "chapters/a.ipynb": "{}",
        ".github/ISSUE_TEMPLATE/problem.yml": "",
        "pyproject.toml": '[project]\nversion = "1.2.0"\n[project.urls]\n',
        package.RELEASE: '{"version": "1.2.0", "sha256": "ab"}',
        "site/index.html": '<a href="chapters/a.html#part">a</a>',
        "site/chapters/a.html": '<h2 id="part">Part</h2><a href="../index.html">home</a><a href="#part">here</a>',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_sound_site_has_no_problem(root):
    assert links.problems(root / "site", root) == []


@pytest.mark.parametrize(
    ("markup", "complaint"),
    [
        ('<a href="b.html">b</a>', "b.html leads nowhere"),
        ('<a href="#other">b</a>', "#other leads nowhere"),
        ('<a href="https://github.com/a/b/issues/new">b</a>', "issues/new leads nowhere"),
        ('<a href="https://colab.research.google.com/github/a/b">b</a>', "leads nowhere"),
        ('<a href="https://a.github.io/b/">b</a>', "leads nowhere"),
        ('<script src="https://cdn.example.org/x.js"></script>', "x.js is loaded from elsewhere"),
        ('<img src="//example.org/x.png">', "x.png is loaded from elsewhere"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "x.css is loaded from elsewhere"),
    ],
)
def test_each_kind_of_bad_link_is_seen(root, markup, complaint):
    (root / "site" / "chapters" / "c.html").write_text(markup)
    (found,) = links.problems(root / "site", root)
    assert found.startswith("chapters/c.html: ") and complaint in found


def test_a_style_that_loads_from_elsewhere_is_seen(root):
    (root / "site" / "x.css").write_text('@import "https://example.org/y.css"; a { background: url(z.png) }')
    assert links.problems(root / "site", root) == ["x.css: https://example.org/y.css is loaded from elsewhere"]


@pytest.mark.parametrize(
    "link",
    [
        REPOSITORY,
        f"{REPOSITORY}/issues",
        f"{REPOSITORY}/edit/main/chapters/a.ipynb",
        f"{REPOSITORY}/issues/new?template=problem.yml&chapter=a",
        f"{REPOSITORY}/releases/download/v1.2.0/medgen_utils.zip#sha256=ab",
        "https://colab.research.google.com/github/owner/name",
        "https://colab.research.google.com/github/owner/name/blob/main/chapters/a.ipynb",
        "https://owner.github.io/name/",
        "https://owner.github.io/name/chapters/a.html#part",
        "https://doi.org/10.1000/1",
        "https://github.com/other/project/blob/main/x.py",
    ],
)
def test_own_links_lead_to_what_lies_in_the_checkout(root, link):
    assert links.own_leads(link, root / "site", root, MINE)


@pytest.mark.parametrize(
    "link",
    [
        f"{REPOSITORY}/blob/main/chapters/b.ipynb",
        f"{REPOSITORY}/blob/old/chapters/a.ipynb",
        f"{REPOSITORY}/issues/new?template=other.yml",
        f"{REPOSITORY}/issues/new",
        f"{REPOSITORY}/releases/download/v1.1.0/medgen_utils.zip#sha256=ab",
        f"{REPOSITORY}/releases/download/v1.2.0/medgen_utils.zip",
        f"{REPOSITORY}/wiki",
        "https://colab.research.google.com/github/owner/other/blob/main/chapters/a.ipynb",
        "https://owner.github.io/name/chapters/b.html",
        "https://owner.github.io/other/",
    ],
)
def test_own_links_to_what_is_not_there_are_seen(root, link):
    assert not links.own_leads(link, root / "site", root, MINE)


def test_the_page_for_lost_readers_starts_where_the_site_starts(root):
    page = root / "site" / "404.html"
    assert links.leads("/name/", page, root / "site", root, MINE)
    assert links.leads("/", page, root / "site", root, NONE)
    assert not links.leads("/other/x.html", page, root / "site", root, MINE)


def test_links_between_the_files_of_the_repository_are_followed(root):
    (root / "README.md").write_text("[a](chapters/a.ipynb) [b](chapters/b.md#x) [c](https://example.org) [d](#here)\n")
    assert links.broken_files(root) == ["README.md: chapters/b.md#x".partition("#")[0]]
