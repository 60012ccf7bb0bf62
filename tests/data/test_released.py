import pytest

from medgen_utils.data import DataUnavailable, prepared, released
from medgen_utils.data.released import released as find
from tools import ROOT


def test_in_the_repository_a_file_is_the_one_that_is_here():
    def never():
        raise AssertionError("asked for the checksum of a file that is here")

    assert find("chapters/references.bib", never) == ROOT / "chapters" / "references.bib"


def test_elsewhere_it_comes_once_from_the_release_of_this_version(tmp_path, monkeypatch):
    asked = []

    def write(source, path):
        asked.append(source.address)
        path.write_text("content")

    monkeypatch.setattr(released, "__file__", str(tmp_path / "site-packages" / "medgen_utils" / "data" / "released.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    monkeypatch.setattr(prepared, "_write", write)
    assert [find("chapters/a/b.txt").read_text() for _ in range(2)] == ["content"] * 2
    (address,) = asked
    assert address.endswith("/chapters/a/b.txt") and "/raw/v" in address
    monkeypatch.setattr(prepared, "PAUSE", 0)
    with pytest.raises(DataUnavailable, match=r"MD5 .* instead of 0"):
        find("chapters/c.txt", lambda: "md5:0")
