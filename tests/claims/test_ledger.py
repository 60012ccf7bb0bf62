"""Claims: each points to a cell and a source, its numbers are those of the chapters' outputs, its verdict holds."""

import json
import re

import pytest

from tests.claims.examples import GOOD, replace, write_claims
from tools import ROOT
from tools.claims import ledger, page
from tools.write import results

CLAIMS = ledger.load()
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


# The committed files


def test_results_are_those_of_the_notebooks():
    assert results.update(write=False) == [], "run `make write`"


@every_claim
def test_claim_is_sound(claim):
    assert ledger.problems([claim]) == []


def test_every_verdict_rests_on_a_rule():
    undecided = [claim.id for claim in CLAIMS if claim.verdict == "open" and not claim.values]  # nothing to judge yet
    assert [claim.id for claim in CLAIMS if not claim.holds and claim.id not in undecided] == []


def test_every_claim_has_a_null_rate_or_says_why_not():
    assert [claim.id for claim in CLAIMS if claim.null is None] == []


def test_what_is_said_of_the_review_is_in_its_abstract():
    """Only what is known of the abstract may be attributed to the review; a new claim about it is read here first."""
    known = {"equipment", "graders", "protocols"}
    assert {claim.id for claim in CLAIMS if "matta2024" in claim.sources} == known


def test_every_number_shown_stands_in_the_output_of_its_cell():
    """Without the result files: the printed text of every value is in the stored outputs of a cell of its claim."""
    for claim in CLAIMS:
        outputs = " ".join(output_text(*place) for place in claim.cells)
        for value in claim.values.values():
            for number in re.findall(r"[\d.]+", value.text):
                assert number in outputs, (claim.id, value)


def output_text(chapter: str, cell: str) -> str:
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    outputs = next(entry["outputs"] for entry in notebook["cells"] if entry["id"] == cell)
    return json.dumps([{k: v for k, v in output.get("data", output).items() if "image" not in k} for output in outputs])


# A tampered copy


def test_a_good_book_has_no_problems(book):
    assert results.update(book, write=False) == []
    assert page.update(book, write=False) == []


def test_a_number_has_an_address(book):
    entries = {tuple(entry) for entry in results.read(book / "chapters" / "results" / "one.csv")}
    assert entries == {
        ("table", "table 1", "breast / A", "score / mean", "0.90"),
        ("table", "table 1", "breast / A", "score / low", "0.80"),
        ("table", "table 1", "breast / B", "score / mean", "-0.10"),
        ("words", "text 1", "Gap ….", "1", "0.10 (0.05 to 0.15)"),
        ("words", "text 1", "With … of … seeds.", "1", "3"),
        ("words", "text 1", "With … of … seeds.", "2", "4"),
        ("words", "table 1", "c", "b", "1 %"),
    }


def test_results_say_where_they_come_from(book):
    text = (book / "chapters" / "results" / "one.csv").read_text()
    assert "# date: 2026-11-23\n# mode: full\n# seconds: 5\n" in text


TAMPERED_OUTPUT = {
    "number": ("0.10 (0.05", "0.11 (0.05"),
    "date": ("2026-11-23", "2026-11-24"),
    "table": ("0.80", "0.81"),
}


@pytest.mark.parametrize(("old", "new"), TAMPERED_OUTPUT.values(), ids=TAMPERED_OUTPUT.keys())
def test_a_changed_output_is_noticed(book, old, new):
    replace(book / "chapters" / "one.ipynb", old, new)
    assert results.update(book, write=False) == ["chapters/results/one.csv"]


BAD = {
    "unknown verdict": ({"verdict": "proved"}, "unknown verdict"),
    "unknown source": ({"sources": ["key2021"]}, "no source 'key2021'"),
    "no source": ({"sources": []}, "no source"),
    "no such chapter": ({"chapter": "two"}, "two"),
    "no such cell": ({"cell": "nowhere"}, "need one row"),
    "no such row": ({"values": {"gap": {"row": "Gain", "column": 1}}}, "need one row"),
    "two such rows": ({"cell": "table", "values": {"gap": {"row": "breast", "column": 1}}}, "need one row"),
    "no such column": ({"values": {"gap": {"row": "Gap", "column": 2}}}, "no column"),
    "unknown value": ({"result": "It is {drop}, not {gap} of {mean}."}, "no value 'drop'"),
    "unused value": ({"result": "It is {gap}.", "holds": []}, "'mean' is not used"),
    "typed result": ({"result": "It is {gap}, of {mean}, and was 0.12."}, "typed number"),
    "typed reason": ({"because": "It is 12 % of all."}, "typed number"),
    "verdict that does not hold": ({"holds": ["gap.low > 0.05"]}, "does not hold"),
    "field missing": ({"because": None}, "missing"),
    "field unknown": ({"note": "x"}, "unknown"),
    "past protocol with a verdict": ({"protocol": 0}, "its verdict is 'open'"),
    "no past protocol": ({"protocol": 2, "verdict": "open"}, "protocol 2 is none of the past ones"),
    "no such figure": ({"figure": "nowhere"}, "no cell nowhere in one"),
    "null rate of nothing": ({"null_rate": {"draw": {"drop": 0}}}, "'drop'"),
    "null rate unread": ({"null_rate": {"rate": 0.5}}, "give a reason"),
    "no such board": ({"null_rate": {"board": "all_win"}}, "no statement 'all_win'"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_claim_is_refused(book, change, message):
    claim = {key: value for key, value in (GOOD | change).items() if value is not None}
    write_claims(book, claim)
    with pytest.raises(ValueError, match=re.escape(message)):
        page.update(book, write=False)


def test_a_claim_whose_cell_was_deleted_is_refused(book):
    path = book / "chapters" / "one.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "words"]
    path.write_text(json.dumps(notebook))
    with pytest.raises(ValueError, match="no cell words in one"):
        page.update(book, write=False)


def test_an_id_used_twice_is_refused(book):
    doubled = ledger.load(book) * 2
    assert "the id 'gap' is used twice" in ledger.problems(doubled, book)


@pytest.mark.parametrize(
    ("printed", "nth", "expected"),
    [
        ("0.90", None, (0.9,)),
        ("-0.05", None, (-0.05,)),
        ("89%", None, (89.0,)),
        ("1,296", None, (1296.0,)),
        ("+0.010 (-0.001 to +0.021)", None, (0.01, -0.001, 0.021)),
        ("-0.008 (-0.015 to -0.001, a loss)", None, (-0.008, -0.015, -0.001)),
        ("4 of 4 lost, 6 of 6 there", 3, (6.0,)),
        ("GE Logiq E9 0.69", None, (0.69,)),
    ],
)
def test_printed_numbers_are_read(printed, nth, expected):
    value = ledger.parse(printed, nth)
    assert (value.value, value.low, value.high)[: len(expected)] == expected


@pytest.mark.parametrize(("printed", "nth"), [("0.1 or 0.2", None), ("none", None), ("0.1", 2)])
def test_what_is_not_one_number_is_refused(printed, nth):
    with pytest.raises(ValueError, match="numbers"):
        ledger.parse(printed, nth)


@pytest.mark.parametrize(
    ("rule", "true"),
    [
        ("0 < a", True),
        ("a.low <= 0 <= a.high", False),
        ("a.low > 0", True),
        ("b.low > 0", False),
        ("b.low <= 0", False),
    ],
)
def test_rules_compare(rule, true):
    """``b`` has no interval, so that every comparison with one is false."""
    values = {"a": ledger.Value("", 0.2, 0.1, 0.3), "b": ledger.Value("", 0.2)}
    assert ledger.holds(rule, values) is true
