"""Null rates: what noise alone would pass."""

import pytest

from tools.claims import ledger, nulls
from tools.claims.ledger import Value

GAIN = {"gain": Value("", 0.1, 0.04, 0.16), "wins": Value("", 3.0), "studies": Value("", 6.0)}


@pytest.mark.parametrize(
    ("rule", "draws", "expected"),
    [
        ("gain.low > 0", {"gain": 0}, 0.025),
        ("gain.low <= 0 <= gain.high", {"gain": 0}, 0.95),
        ("gain > 0", {"gain": 0}, 0.5),
        ("gain.low > 0", {"gain": 0.06}, 0.5),
        ("wins > 0", {"wins": "0.05 of studies"}, 1 - 0.95**6),
        ("wins >= 6", {"wins": "0.5 of 6"}, 0.5**6),
        ("wins > 2", {"wins": "1 of wins"}, 1),
    ],
)
def test_rate_is_that_of_the_distribution(rule, draws, expected):
    assert nulls.drawn([rule], GAIN, draws) == pytest.approx(expected, abs=0.02)


def test_what_is_not_drawn_stays_as_printed_and_draws_are_independent():
    rules = ["gain > 0", "wins > 0"]
    assert nulls.drawn(rules, GAIN, {"gain": 0}) == pytest.approx(0.5, abs=0.02)
    assert nulls.drawn(rules, GAIN, {"gain": 0, "wins": "0.5 of 1"}) == pytest.approx(0.25, abs=0.02)


def test_the_same_seed_gives_the_same_rate():
    assert nulls.drawn(["gain > 0"], GAIN, {"gain": 0}) == nulls.drawn(["gain > 0"], GAIN, {"gain": 0})


def test_what_has_no_interval_or_no_part_in_the_condition_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"wins .* has no interval"):
        nulls.drawn(["wins > 0"], GAIN, {"wins": 0})
    with pytest.raises(ValueError, match=r"\['wins'\] are not in the condition"):
        nulls.drawn(["gain > 0"], GAIN, {"wins": "0.5 of 6"})


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.13, "**Null rate: 13 %**"),
        (0.001, "less than 1 %"),
        (0.999, "more than 99 %"),
        (None, "**No null rate:** why"),
    ],
)
def test_a_rate_is_said_in_whole_percents(rate, words):
    assert words in nulls.Null(rate, "why.").sentence()


def test_a_rate_that_a_chapter_prints_is_read_as_a_share():
    claim = next(one for one in ledger.load() if one.id == "hospital-habit")
    naming = {"row": "Naming the hospital alone", "column": 1}
    found = nulls.of(claim._replace(null=naming))
    assert found.rate == claim.values["naming"].value and found.sentence().endswith("#cell-eeb051c4).")
    assert nulls.of(claim._replace(null=None)).sentence() == "**No null rate:** not stated yet."
