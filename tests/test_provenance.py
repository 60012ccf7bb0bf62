"""Which domains stand in one hospital, and which may be counted as hospitals."""

import pytest

from medgen_utils.provenance import COLUMNS, NOT_STATED, distinct_sites, provenance, sites

TABLE = provenance(
    {"old scanner": {"hospital": "Rio"}, "new scanner": {"hospital": "Rio", "years": "2020"}, "Cairo": {}, "x": {}},
    species="human",
)


def test_the_table_has_every_column_and_no_other():
    assert tuple(TABLE.columns) == COLUMNS
    assert TABLE.loc["new scanner", ["hospital", "years", "species", "grader"]].tolist() == ["Rio", "2020", "human", ""]
    with pytest.raises(ValueError, match=r"no columns \['city'\]"):
        provenance({"a": {"city": "Rio"}})
    with pytest.raises(ValueError, match=r"no columns \['city'\]"):
        provenance({"a": {}}, city="Rio")


def test_scanners_of_one_hospital_are_one_site_and_unknown_hospitals_are_their_own():
    assert sites(TABLE) == {"old scanner": "Rio", "new scanner": "Rio", "Cairo": "Cairo", "x": "x"}
    assert sites(provenance({"a": {}, "b": {}}, hospital=NOT_STATED)) == {"a": "a", "b": "b"}


def test_two_scanners_are_not_two_hospitals_unless_told():
    assert distinct_sites(TABLE, ["old scanner", "Cairo", "x"]) == ("old scanner", "Cairo", "x")
    with pytest.raises(
        ValueError, match=r"'old scanner' and 'new scanner' stand in one place \(Rio\) and are not two hospitals"
    ):
        distinct_sites(TABLE)
    assert distinct_sites(TABLE, by="scanner") == ("old scanner", "new scanner", "Cairo", "x")


def test_an_unknown_name_or_unit_is_refused():
    with pytest.raises(ValueError, match=r"no domains \['Lima'\]"):
        distinct_sites(TABLE, ["Lima"])
    with pytest.raises(ValueError, match="by='site'"):
        distinct_sites(TABLE, by="site")
