"""The habit of a hospital: only together do marker and prevalence make a shortcut."""

from medgen_utils.clinic import NEW_HOSPITAL
from medgen_utils.shifts.experiments import hospital_habit
from medgen_utils.shifts.experiments.habit import SETTINGS, hospitals_of


def test_settings_change_what_they_name():
    for tied, marker in SETTINGS.values():
        a, b, *_, new = hospitals_of(tied, marker)
        assert (a.prevalence == b.prevalence) is not tied
        assert (a.marker_if_benign > 0) is marker and a.marker_if_benign == a.marker_if_malignant
        assert new.name == NEW_HOSPITAL


def test_naming_the_hospital_pays_only_where_prevalences_differ():
    frame = hospital_habit(seeds=(0,), steps=3, n=100)
    alone = frame[frame["where"] == "naming the hospital alone"].set_index("setting")["value"]
    equal, unmarked, habit = SETTINGS
    assert alone[equal] == 0.5 and alone[unmarked] == alone[habit] > 0.7
    assert len(frame) == 3 * len(SETTINGS)
