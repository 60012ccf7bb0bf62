"""A file of the repository is the one here, else the one that the installed package carries, checked."""

import shutil

import pytest

from medgen_utils.data import DataCorrupt, released
from medgen_utils.data.released import released as find
from tools import ROOT


def never() -> str:
    raise AssertionError("asked for the checksum of a file that is here")


def test_in_the_repository_a_file_is_the_one_that_is_here():
    assert find("chapters/references.bib", never) == ROOT / "chapters" / "references.bib"


def test_elsewhere_it_is_the_one_that_the_package_carries_and_is_checked(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "medgen_utils"
    monkeypatch.setattr(released, "__file__", str(installed / "data" / "released.py"))
    with pytest.raises(FileNotFoundError, match=r"built without chapters/references\.bib .* install it anew"):
        find("chapters/references.bib", never)
    carried = installed / "carried" / "chapters" / "references.bib"
    carried.parent.mkdir(parents=True)
    shutil.copy(ROOT / "chapters" / "references.bib", carried)
    assert find("chapters/references.bib") == carried
    with pytest.raises(DataCorrupt, match=r"MD5 .* instead of 0"):
        find("chapters/references.bib", lambda: "md5:0")
