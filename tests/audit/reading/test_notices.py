"""What is no error but may be a mistake is told."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.audit.reading.notices import below_chance
from tests.audit.examples import changed, classes, read, table, told


def test_a_sound_file_has_nothing_to_tell(csv):
    frame = read(csv(table()), group="patient", identity="id")
    assert frame.attrs == {"notices": [], "class_names": (), "patients_named": True}


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (table().assign(p=lambda t: t["p"].round()), {}, "0 and 1 only"),
        (table().assign(p=lambda t: 1 - t["p"]), {}, "below chance"),
        (table(), {"positive": "0"}, "below chance"),
        (
            classes().rename(columns={"prob_1": "prob_2", "prob_2": "prob_1"}),
            {"prob": ["prob"]},
            "order of the classes",
        ),
        (pd.concat([table()] * 2), {"group": "patient"}, "240 of 480 rows are identical .* row 241"),
        (table().assign(patient=range(240)), {"group": "patient"}, "every patient of column 'patient' has one image"),
        (table().assign(patient=lambda t: t.index % 80), {"group": "patient"}, "80 patient.s. .* 'home' and 'away'"),
        (changed("hospital", 3, "home "), {}, "'home' and 'home ' differ only in blanks"),
        (changed("hospital", 3, "Home"), {}, "differ only in capitals"),
    ],
)
def test_what_may_be_wrong_is_told(csv, data, options, words):
    frame = read(csv(data), **options)
    assert pd.Series(frame.attrs["notices"]).str.contains(words).any(), frame.attrs["notices"]


def test_rounded_numbers_that_repeat_are_no_repeats(csv):
    frame = read(csv(table()[["y", "hospital", "p"]].round({"p": 1})))
    assert "identical" not in told(frame)


def test_two_classes_below_chance_are_told_once_and_the_class_is_number_one():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    p = np.clip(0.5 - 0.3 * (y - 0.5) + 0.1 * rng.normal(size=200), 0, 1)
    (notice,) = below_chance(y, np.stack([1 - p, p], 1), "column p", ["benign", "malignant"])
    assert "class 1 (malignant)" in notice


@pytest.mark.parametrize(("n", "m"), [(10, 40), (40, 10), (7, 7), (200, 300)])
def test_below_chance_means_four_standard_errors_below_one_half(n, m):
    """The standard error of Mann and Whitney's statistic where class and probability have nothing to do."""
    edge = (0.5 - 4 * np.sqrt((n + m + 1) / (12 * n * m))) * n * m
    for wins, told_so in ((int(np.floor(edge)), True), (int(np.ceil(edge)), False)):
        if wins >= 0:
            # each case is above as many controls as makes the wins; without ties
            above = np.full(n, wins // n) + (np.arange(n) < wins % n)
            scores = np.r_[above - 0.5 + np.arange(n) / (2 * n), np.arange(m)]
            p = (scores + 1) / (m + 2)
            notes = below_chance(np.repeat([1, 0], [n, m]), np.stack([1 - p, p], 1), "p", [])
            assert bool(notes) == told_so, (wins, edge)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_nothing_is_said_of_five_images_of_a_class(n):
    for y in (np.repeat([1, 0], [n, 500]), np.repeat([0, 1], [n, 500])):
        p = np.where(y == 1, 0.1, 0.9)
        assert below_chance(y, np.stack([1 - p, p], 1), "p", []) == []


def test_a_class_without_an_image_does_not_hide_the_classes_after_it():
    y = np.repeat([1, 2], [100, 100])
    prob = np.full((200, 3), 0.2)
    prob[y == 1, 2] = prob[y == 2, 1] = 0.6
    (notice,) = below_chance(y, prob, "prob_0 to prob_2", ["rare", "second", "third"])
    assert "class second" in notice
