"""A hospital is its parameters, each in its range, and says so in words."""

import pytest

from medgen_utils.clinic import scanner_gallery, shortcut_hospitals
from medgen_utils.hospital import RANGES, Hospital, describe
from medgen_utils.provenance import sites


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(name, bound + step) for name, (low, high) in RANGES.items() for bound, step in ((low, -0.01), (high, 0.01))]
    + [("prevalence", 0.0), ("prevalence", 1.0), ("polarity", 0), ("stain", (1.0, 1.0)), ("stain", (1.0, 1.0, -1.0))]
    + [("gain", float("nan"))],
)
def test_a_hospital_out_of_range_is_refused_by_name_and_value(parameter, value):
    with pytest.raises(ValueError, match=parameter) as error:
        Hospital("north", **{parameter: value})
    assert str(value) in str(error.value) and "north" in str(error.value)


def test_a_changed_hospital_differs_in_what_was_changed_only():
    north = Hospital("north", gain=0.3, prevalence=0.2)
    assert north.changed(gain=1.0) == Hospital("north", prevalence=0.2) and north.gain == 0.3
    with pytest.raises(ValueError, match="gain=9"):
        north.changed(gain=9)


def test_every_hospital_says_where_it_comes_from():
    table = describe(shortcut_hospitals())
    assert (table != "").all(axis=None)
    assert len(set(sites(table).values())) == 4
    assert len(set(sites(describe(scanner_gallery(), same_patients=True)).values())) == 1  # scanners of one place
