"""No two pages disagree about a number of the same thing."""

import functools
import re
from collections import defaultdict
from itertools import pairwise

import yaml

from tests.pages import agreement
from tests.pages.agreement import SITES, Shown, equal, same, seeds_of
from tests.pages.published import NUMBERS
from tools import ROOT
from tools.claims import places
from tools.claims.ledger import parse
from tools.write import results

COUNTED = ("images", "groups", "patients", "benign", "malignant")
QUOTE = re.compile(r"references\.md#ref-([\w-]+)")
DECIMAL = re.compile(r"(?<![\w.,/-])\d*\.\d+(?![\w]*[\d/])")


@functools.cache
def groups() -> list[list[Shown]]:
    return [*agreement.in_tables(), *agreement.in_sentences()]


def test_scores_on_a_page_are_those_of_the_store():
    lost = [group for group in groups() if seeds_of(group) is None]
    assert lost == [], "the store has no number of seeds with these scores"


def test_pages_that_show_the_same_score_show_one_number_or_say_their_seeds():
    shown: dict[tuple, dict[int, list[Shown]]] = defaultdict(lambda: defaultdict(list))
    for group in groups():
        for one in group:
            if one.quantity != "seeds":
                shown[one.problem, one.method, one.quantity][seeds_of(group)].append(one)
    for by_seeds in shown.values():
        for seeds, all_ in by_seeds.items():
            assert [(a, b) for a, b in pairwise(all_) if not same(a.printed, b.printed)] == []
            if len(by_seeds) > 1:
                silent = {one.page for one in all_ if not agreement.says_seeds(one.page, seeds)}
                assert not silent, f"{silent} differ from other pages by {seeds} seeds, and do not say so"


def test_several_pages_are_compared():
    assert len({one.page for group in groups() for one in group}) >= 4


def counts(chapter: str) -> dict[tuple[str, str], str]:
    """(site, what is counted) -> as printed, from the tables of a chapter with a row for each site."""
    entries = results.read(ROOT / "chapters" / "results" / f"{chapter}.csv")
    tables = defaultdict(dict)
    for entry in entries:
        if entry.row in SITES and entry.column in COUNTED:
            tables[entry.cell, entry.output][entry.row, entry.column] = entry.value
    whole = [
        table
        for table in tables.values()
        if {site for site, _ in table} == set(SITES) and (SITES[0], "groups") in table
    ]
    return whole[0] if whole else {}


def test_images_and_patients_of_a_site_are_as_many_on_every_page():
    tables = {chapter: found for chapter in agreement.CHAPTERS if (found := counts(chapter))}
    assert len(tables) >= 2
    for (a, first), (b, second) in pairwise(tables.items()):
        apart = [key for key in first.keys() & second.keys() if not same(first[key], second[key])]
        assert not apart, f"{a} and {b} differ in {apart}"


def test_the_data_page_counts_as_the_chapters_do():
    page = (ROOT / "chapters" / "datasets.md").read_text(encoding="utf-8")
    table = counts("generalization_gap")
    for site in SITES:
        row = re.search(rf"^\| {site} \([^)]*\) \|(.*)\|$", page, re.MULTILINE)[1]
        benign, malignant, kept, patients = (cell.replace(",", "").strip() for cell in row.split("|"))
        images = sum(map(int, re.findall(r"\d+", kept))) or int(benign) + int(malignant)
        assert int(table[site, "images"]) == images, site
        share = int(re.findall(r"\d+", kept)[-1]) / images if "+" in kept else int(malignant) / images
        assert equal(parse(table[site, "malignant"]).value, share, table[site, "malignant"]), site
        groups = re.match(r"\d+", patients)
        assert int(table[site, "groups"]) == (int(groups[0]) if groups else 0), site


PLANNED = {
    "Five hospitals of … patients see a mean gap": {3: "gap_five"},
    "This rests on … sites and … seeds: the spread between hospitals": {1: "gap_sites", 3: "gap_site"},
    "With … patients at each it takes": {2: "gap_needed", 7: "gap_low", 8: "gap_high"},
}
"""Sentences of the chapters whose numbers the planner says too, by their names in its front matter."""


def test_the_planner_says_what_the_chapters_say():
    front = (ROOT / "chapters" / "plan.md").read_text(encoding="utf-8").split("---\n")[1]
    planner = yaml.safe_load(front)["myst"]["substitutions"]
    entries = [e for name in agreement.CHAPTERS for e in results.read(ROOT / "chapters" / "results" / f"{name}.csv")]
    shown = [
        (planner[names[int(entry.column)]], entry.value)
        for start, names in PLANNED.items()
        for entry in entries
        if entry.row.startswith(start) and entry.column.isdigit() and int(entry.column) in names
    ]
    assert len(shown) >= 6 and [pair for pair in shown if not same(*pair)] == []


def quoted() -> list[tuple[str, str, str]]:
    """(page, key, number) for every number with a decimal point in a sentence that cites one work with numbers."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "chapters").rglob("*.md")}
    for chapter in agreement.CHAPTERS:
        cells = places.notebook(ROOT, chapter)["cells"]
        texts[chapter] = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = []
    for page in sorted(texts.keys() - {"claims.md", "index.md", "atlas.md", "plan.md"}):  # written from others
        for sentence in texts[page].split("\n"):
            keys = set(QUOTE.findall(sentence))
            bare = re.sub(r"\]\([^)]*\)|\$[^$]*\$|`[^`]*`", "]", sentence)
            if len(keys) == 1 and (key := keys.pop()) in NUMBERS:
                found += [(page, key, number) for number in DECIMAL.findall(bare)]
    groups = yaml.safe_load((ROOT / "chapters" / "claims.yml").read_text(encoding="utf-8"))
    for claim in (claim for group in groups for claim in group["claims"]):
        known = [key for key in claim["sources"] if key in NUMBERS]
        if len(known) == 1:
            found += [("claims.yml", known[0], number) for number in DECIMAL.findall(claim["statement"])]
    return found


def test_numbers_of_other_groups_are_those_of_their_works_on_every_page():
    found = quoted()
    assert [one for one in found if one[2] not in NUMBERS[one[1]]] == []
    assert len({page for page, _, _ in found}) >= 3


# The measure itself


def shown(printed: str, method: str = "ERM", quantity: str = "mean") -> Shown:
    return Shown("page", "page, cell", agreement.BREAST, method, quantity, printed)


def test_printed_numbers_are_compared_at_the_decimals_of_the_coarser():
    assert same("0.82", "0.816") and same("+0.031 (0.01 to 0.05)"[:6], "0.031") and same("1,064", "1064")
    assert not same("0.816", "0.819") and not same("0.031", "0.032")


def test_a_score_that_no_number_of_seeds_has_is_noticed():
    stored = agreement.of_store(agreement.BREAST, "ERM", 1)["mean"]
    assert seeds_of([shown(f"{stored:.3f}")]) == 1
    assert seeds_of([shown(f"{stored + 0.011:.3f}")]) is None
    assert seeds_of([shown(f"{stored:.3f}"), shown("0.1", quantity="lowest")]) is None
