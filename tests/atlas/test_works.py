"""The literature map holds the works of references.bib, and says of them what the book says."""

import re
import shutil

import pytest
import yaml

from tools import ROOT
from tools.atlas import works
from tools.claims import ledger

RAW = yaml.safe_load((ROOT / "chapters" / "atlas.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def atlas():
    return works.load()


@pytest.fixture
def book(tmp_path):
    """What the map is read from, with a file of its own to spoil."""
    for name in ("chapters", "_toc.yml", "medgen_utils"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "chapters").unlink()
    (tmp_path / "chapters").mkdir()
    for path in (ROOT / "chapters").iterdir():
        if path.name != "atlas.yml":
            (tmp_path / "chapters" / path.name).symlink_to(path)
    shutil.copy(ROOT / "chapters" / "atlas.yml", tmp_path / "chapters")
    return tmp_path


def spoil(book, change) -> None:
    path = book / "chapters" / "atlas.yml"
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")


def test_every_key_of_the_bibliography_has_its_entry_and_no_other(atlas):
    keys = re.findall(
        r"^@\w+\{([\w-]+),", (ROOT / "chapters" / "references.bib").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(work.key for work in atlas.works) == sorted(keys)


def test_executed_here_is_in_the_package(atlas):
    names = {name for work in atlas.works for name in work.executed}
    assert [name for name in sorted(names) if not works.exists(name)] == [] and len(names) > 40
    assert works.exists("feature_alignment.algorithms.CORAL") and works.exists("probes")
    assert not works.exists("feature_alignment.algorithms.CORALS") and not works.exists("coral.CORAL")


def test_every_kind_shift_and_family_is_that_of_some_work(atlas):
    assert {work.kind for work in atlas.works} == set(atlas.kinds)
    assert {name for work in atlas.works for name in work.shift} == {shift.name for shift in atlas.shifts}
    assert {work.family for work in atlas.works} - {""} == set(atlas.families)


def test_sites_are_counted_and_nothing_is_filled_in_with_words_for_nothing(atlas):
    assert [work.key for work in atlas.works if work.sites and not re.match(r"\d+ \w+", work.sites)] == []
    values = [value for entry in RAW["works"].values() for value in entry.values()]
    assert [
        value for value in values if value in ("", [], None) or str(value).lower() in ("unknown", "none", "n/a")
    ] == []


def test_claims_and_chapters_are_those_that_name_the_work(atlas):
    zech = next(work for work in atlas.works if work.key == "zech2018")
    assert zech.name == "Zech et al. 2018" and zech.year == 2018
    assert {claim.id for claim in zech.claims} == {claim.id for claim in ledger.load() if "zech2018" in claim.sources}
    assert "generalization_gap" in zech.chapters


def test_a_graph_leads_to_a_demonstration_that_is_drawn_and_to_remedies_of_its_own(atlas):
    placed = [name for shift in atlas.shifts for name in shift.families]
    assert len(placed) == len(set(placed)) and set(placed) <= set(atlas.families)
    assert all(shift.clinic in shift.claims for shift in atlas.shifts)


BAD = {
    "a work without entry": (lambda raw: raw["works"].pop("zech2018"), r"differ in \['zech2018'\]"),
    "an entry without work": (lambda raw: raw["works"].update(doe2030={"kind": "study"}), r"differ in \['doe2030'\]"),
    "unknown field": (lambda raw: raw["works"]["zech2018"].update(hospital=3), "'zech2018': unknown 'hospital'"),
    "unknown kind": (lambda raw: raw["works"]["zech2018"].update(kind="essay"), "kind 'essay' is none of"),
    "unknown shift": (lambda raw: raw["works"]["zech2018"].update(shift=["drift"]), "shift 'drift' is none of"),
    "unknown family": (lambda raw: raw["works"]["sun2016"].update(family="luck"), "family 'luck' is none of"),
    "remedy without family": (lambda raw: raw["works"]["sun2016"].pop("family"), "a remedy has a family"),
    "nothing of this name": (
        lambda raw: raw["works"]["sun2016"].update(executed=["feature_alignment.X"]),
        "has no feature",
    ),
    "unknown claim": (lambda raw: raw["shifts"]["prior"].update(claims=["gone"]), r"'prior': no claims \['gone'\]"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_entry_is_refused(book, change, message):
    spoil(book, change)
    with pytest.raises(ValueError, match=message):
        works.load(book)
