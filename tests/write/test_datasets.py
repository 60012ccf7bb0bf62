"""The data page says of each set what the package says, and shows a picture of each domain that may be shown."""

import re

import pytest
from PIL import Image

from medgen_utils.data.loading import SETS
from tools import ROOT
from tools.patients import FOLDER, LARGEST, MITOSIS, ULTRASOUND
from tools.write import datasets

PAGE = (ROOT / "chapters" / "datasets.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SETS)
def test_every_set_has_its_provenance_licence_citation_and_traps(name):
    part = datasets.described(name)
    assert part in PAGE, "run `make write`"
    info = SETS[name].info
    for words in (info.licence, info.citation, *info.warnings, *SETS[name].domains["hospital"]):
        assert words in part


def test_a_page_without_a_place_is_refused(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "datasets.md").write_text("# Data sets\n")
    with pytest.raises(ValueError, match=r"datasets\.md has no place .* '<!-- begin clinic -->'"):
        datasets.update(tmp_path)


def test_a_changed_place_is_written_and_nothing_else(tmp_path):
    (tmp_path / "chapters").mkdir()
    page = tmp_path / "chapters" / "datasets.md"
    changed = re.sub(r"(<!-- begin clinic -->\n\n).*?(<!-- end)", r"\1old\n\n\2", PAGE, flags=re.DOTALL)
    page.write_text(changed, encoding="utf-8")
    assert datasets.update(tmp_path, write=False) == ["chapters/datasets.md"]
    assert page.read_text(encoding="utf-8") == changed
    datasets.update(tmp_path)
    assert page.read_text(encoding="utf-8") == PAGE
    assert datasets.update(tmp_path) == []


def test_every_picture_is_small_described_and_credited():
    for picture in (*ULTRASOUND, *MITOSIS):
        path = FOLDER / picture.name
        assert path.stat().st_size <= LARGEST
        with Image.open(path) as image:
            assert max(image.size) >= 128
        assert len(picture.alt) > 40 and picture.credit
    assert sorted(path.name for path in FOLDER.glob("*.webp")) == sorted(p.name for p in (*ULTRASOUND, *MITOSIS))


def test_every_domain_that_may_be_shown_is_shown_and_ciudad_real_is_not():
    shown = " ".join(picture.domain for picture in (*ULTRASOUND, *MITOSIS))
    missing = [name for key in ("breast-hospitals", "mitosis") for name in SETS[key].domains.index if name not in shown]
    assert missing == ["Ciudad Real"]
    assert not any("UCLM" in picture.credit for picture in ULTRASOUND)


def test_the_licences_travel_with_the_pictures():
    text = (ROOT / "LICENSE-PICTURES").read_text(encoding="utf-8")
    for name in ("cairo-", "poland-", "rio-", "mitosis-"):
        assert f"{name}*.webp" in text
    assert "The above copyright notice and this permission notice shall be" in text
