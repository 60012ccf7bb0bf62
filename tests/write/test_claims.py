"""Claims: each points to a cell and a source, its numbers are those of the chapters' outputs, its verdict holds."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tools import ROOT
from tools.write import claims, results

CLAIMS = claims.load()
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


# The committed files


def test_results_are_those_of_the_notebooks():
    assert results.update(write=False) == [], "run `make write`"


@every_claim
def test_claim_is_sound(claim):
    assert claims.problems([claim]) == []


def test_page_and_summary_are_those_of_the_claims():
    assert claims.update(write=False) == [], "run `make write`"


def test_every_verdict_rests_on_a_rule():
    assert [claim.id for claim in CLAIMS if not claim.holds] == []


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


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book with one chapter, one claim and what belongs to them."""
    folder = tmp_path / "chapters"
    folder.mkdir()
    notebook = {
        "cells": [
            markdown("# A chapter: of numbers\n\n<div>\n\n**Time.** Short.\n\n</div>"),
            code("set-up", {"text/plain": "torch 2.0"}),
            markdown("## The experiment"),
            code("table", {"text/html": TABLE, "text/plain": "A 0.90"}),
            code(
                "words",
                {
                    "text/markdown": "**Gap** 0.10 (0.05 to 0.15). With 3 of 4 seeds.\n\n"
                    "| a | b |\n|---|---|\n| c | 1 % |"
                },
            ),
            markdown("## Exercises"),
            code("exercise", {"text/plain": "0.5"}),
        ],
        "metadata": {"medgen": {"executed": {"date": "2026-11-23", "mode": "full", "seconds": 5}}},
    }
    (folder / "one.ipynb").write_text(json.dumps(notebook))
    (folder / "references.bib").write_text(
        "@article{key2020,\n  author = {Key, A. and Lock, B.},\n  year = {2020},\n  doi = {10.1/2},\n}\n"
    )
    (folder / "index.md").write_text(f"# Home\n\n{claims.BEGIN}\n\nold\n\n{claims.END}\n\nThe end.\n")
    write_claims(tmp_path, GOOD)
    results.update(tmp_path)
    claims.update(tmp_path)
    return tmp_path


TABLE = (
    '<table border="1" class="dataframe"><thead>'
    "<tr><th></th><th></th><th colspan='2'>score</th></tr><tr><th></th><th></th><th>mean</th><th>low</th></tr>"
    "<tr><th>data</th><th>method</th><th></th><th></th></tr></thead><tbody>"
    "<tr><th rowspan='2'>breast</th><th>A</th><td>0.90</td><td>0.80</td></tr>"
    "<tr><th>B</th><td>-0.10</td><td>GE Logiq 7</td></tr></tbody></table>"
)
GOOD = {
    "id": "gap",
    "title": "There is a gap",
    "statement": "A model loses.",
    "sources": ["key2020"],
    "chapter": "one",
    "cell": "words",
    "values": {
        "gap": {"row": "Gap", "column": 1},
        "mean": {
            "cell": "table",
            "row": "breast / A",
            "column": "score / mean",
            "low": "score / low",
            "high": "score / mean",
        },
    },
    "result": "It is {gap}, of {mean}.",
    "holds": ["gap.low > 0", "0 < gap.value <= mean"],
    "verdict": "reproduced",
    "because": "The interval excludes zero.",
    "headline": True,
}


def markdown(source: str) -> dict:
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source}


def code(name: str, data: dict) -> dict:
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    return {"cell_type": "code", "id": name, "metadata": {}, "source": "", "outputs": [output]}


def write_claims(root: Path, claim: dict) -> None:
    text = yaml.safe_dump([{"question": "Why?", "claims": [claim]}])
    (root / "chapters" / "claims.yml").write_text(text)


def test_a_good_book_has_no_problems(book):
    assert results.update(book, write=False) == []
    assert claims.update(book, write=False) == []


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


def test_page_shows_the_claim(book):
    page = (book / "chapters" / "claims.md").read_text()
    assert "(claim-gap)=\n### There is a gap" in page
    assert "A model loses. ([Key & Lock 2020](references.md#ref-key2020), [doi](https://doi.org/10.1/2))" in page
    assert "It is 0.10 (0.05 to 0.15), of 0.90 (0.80 to 0.90)." in page
    assert "[A chapter: The experiment](one.ipynb#cell-words)" in page
    assert '<span aria-hidden="true">●</span>&nbsp;Reproduced.** The interval excludes zero.' in page


def test_home_page_keeps_what_is_not_ours(book):
    home = (book / "chapters" / "index.md").read_text()
    assert home.startswith("# Home\n")
    assert home.endswith("\n\nThe end.\n")
    assert "[There is a gap](claims.md#claim-gap)" in home


def test_the_card_of_a_chapter_links_its_claims(book):
    path = book / "chapters" / "one.ipynb"
    card = "".join(json.loads(path.read_text())["cells"][0]["source"])
    line = "**Claims.** Examined here, each with a verdict: [There is a gap](claims.md#claim-gap)."
    assert card.endswith(f"**Time.** Short.\n\n{line}\n\n</div>")
    replace(path, "There is a gap", "There is no gap")
    assert claims.update(book, write=False) == ["chapters/one.ipynb"]
    assert claims.update(book) == ["chapters/one.ipynb"]
    assert claims.update(book, write=False) == []


TAMPERED_OUTPUT = {
    "number": ("0.10 (0.05", "0.11 (0.05"),
    "date": ("2026-11-23", "2026-11-24"),
    "table": ("0.80", "0.81"),
}


@pytest.mark.parametrize(("old", "new"), TAMPERED_OUTPUT.values(), ids=TAMPERED_OUTPUT.keys())
def test_a_changed_output_is_noticed(book, old, new):
    replace(book / "chapters" / "one.ipynb", old, new)
    assert results.update(book, write=False) == ["chapters/results/one.csv"]


def test_a_changed_result_file_is_noticed(book):
    replace(book / "chapters" / "results" / "one.csv", "0.05", "0.06")
    assert results.update(book, write=False) == ["chapters/results/one.csv"]
    assert set(claims.update(book, write=False)) == {"chapters/claims.md", "chapters/index.md"}


@pytest.mark.parametrize("name", ["claims.md", "index.md"])
def test_a_changed_page_is_noticed_and_written_again(book, name):
    replace(book / "chapters" / name, "0.05", "0.06")
    assert claims.update(book, write=False) == [f"chapters/{name}"]
    assert claims.update(book) == [f"chapters/{name}"]
    assert claims.update(book, write=False) == []


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


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
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_claim_is_refused(book, change, message):
    claim = {key: value for key, value in (GOOD | change).items() if value is not None}
    write_claims(book, claim)
    with pytest.raises(ValueError, match=re.escape(message)):
        claims.update(book, write=False)


def test_a_claim_whose_cell_was_deleted_is_refused(book):
    path = book / "chapters" / "one.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "words"]
    path.write_text(json.dumps(notebook))
    with pytest.raises(ValueError, match="no cell words in one"):
        claims.update(book, write=False)


def test_an_id_used_twice_is_refused(book):
    doubled = claims.load(book) * 2
    assert "the id 'gap' is used twice" in claims.problems(doubled, book)


def test_a_home_page_without_its_place_is_refused(book):
    shutil.copy(book / "chapters" / "claims.md", book / "chapters" / "index.md")
    with pytest.raises(ValueError, match="no place for the claims"):
        claims.update(book)


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
    value = claims.parse(printed, nth)
    assert (value.value, value.low, value.high)[: len(expected)] == expected


@pytest.mark.parametrize(("printed", "nth"), [("0.1 or 0.2", None), ("none", None), ("0.1", 2)])
def test_what_is_not_one_number_is_refused(printed, nth):
    with pytest.raises(ValueError, match="numbers"):
        claims.parse(printed, nth)


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
    values = {"a": claims.Value("", 0.2, 0.1, 0.3), "b": claims.Value("", 0.2)}
    assert claims.holds(rule, values) is true
