"""The address of the book comes from pyproject.toml: that of a repository, or none."""

import pytest

import medgen_utils
from tools.address import Address, wanted


def project(folder, urls: str):
    (folder / "pyproject.toml").write_text(f'[project]\nversion = "1.0"\n\n{urls}')
    return folder


@pytest.mark.parametrize("address", ["https://example.org/book", "https://github.com/owner", "github.com/a/b"])
def test_an_address_that_is_no_repository_is_refused(tmp_path, address):
    with pytest.raises(ValueError, match="OWNER/NAME"):
        wanted(project(tmp_path, f'[project.urls]\nRepository = "{address}"\n'))


@pytest.mark.parametrize("urls", ["", "[project.urls]\n", '[project.urls]\nRepository = ""\n'])
def test_without_an_address_there_is_neither_repository_nor_site(tmp_path, urls):
    address = wanted(project(tmp_path, urls))
    assert (address.slug, address.repository, address.pages, address.path) == ("", "", "", "/")


@pytest.mark.parametrize(
    ("slug", "pages", "path"),
    [
        ("owner/name", "https://owner.github.io/name/", "/name/"),
        ("Owner/Name", "https://owner.github.io/Name/", "/Name/"),
        ("Owner/owner.github.io", "https://owner.github.io/", "/"),
        ("owner/other.github.io", "https://owner.github.io/other.github.io/", "/other.github.io/"),
    ],
)
def test_a_site_lies_below_its_owner_and_a_users_site_at_the_top(tmp_path, slug, pages, path):
    address = wanted(project(tmp_path, f'[project.urls]\nRepository = "https://github.com/{slug}.git"\n'))
    assert address == Address(slug, "1.0")
    assert (address.repository, address.pages, address.path) == (f"https://github.com/{slug}", pages, path)


def test_package_and_project_have_the_same_version():
    assert medgen_utils.__version__ == wanted().version
