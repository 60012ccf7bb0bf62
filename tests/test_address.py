"""The address of the book comes from pyproject.toml, and has to be that of a repository."""

import pytest

import medgen_utils
from tools.address import wanted


@pytest.mark.parametrize("address", ["https://example.org/book", "https://github.com/owner", "github.com/a/b"])
def test_an_address_that_is_no_repository_is_refused(tmp_path, address):
    project = f'[project]\nversion = "1.0"\n\n[project.urls]\nRepository = "{address}"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    with pytest.raises(ValueError, match="OWNER/NAME"):
        wanted(tmp_path)


def test_package_and_project_have_the_same_version():
    assert medgen_utils.__version__ == wanted().version
