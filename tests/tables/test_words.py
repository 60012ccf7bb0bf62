"""Names that look the same are one and are told; the nearest name is offered."""

import unicodedata

import pandas as pd

from medgen_utils.tables import did_you_mean, listed, one_spelling, tidy


def test_names_that_look_the_same_become_one_and_are_told():
    composed = "K\u00f6ln"
    words = pd.Series([composed, unicodedata.normalize("NFD", composed), "K\u00f6ln\u200b", "Bonn ", "Bonn", "BONN"])
    values, notices = one_spelling(words, "column 'hospital'")
    assert values.tolist() == [composed] * 3 + ["Bonn", "Bonn", "BONN"]
    assert len(notices) == 3
    assert "'Ko\\u0308ln'" in notices[0]
    assert "'Bonn ' and 'Bonn'" in notices[1]
    assert "capitals" in notices[2]


def test_blanks_around_every_name_are_nothing_to_tell():
    values, notices = one_spelling(pd.Series(["north ", "south "]), "column 'hospital'")
    assert values.tolist() == ["north", "south"]
    assert notices == []


def test_the_nearest_name_is_offered():
    assert did_you_mean("Eest", ["west", "east"]) == "did you mean 'west' or 'east'?"
    assert did_you_mean("NORTH", ["north"]) == "did you mean 'north'?"
    assert did_you_mean("x", ["north"]) == ""
    assert did_you_mean("hospital", ["split"]) == ""
    assert tidy(" a\u00a0 b\x07 ") == "a b"


def test_a_list_of_names_stays_short_and_says_how_many_there_are():
    assert listed(["y", "p"]) == "['y', 'p']"
    assert listed(f"column {i}" for i in range(5000)).endswith("'column 19'] and 4980 more")
    assert len(listed(["x" * 2000])) < 70
