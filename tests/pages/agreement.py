"""Which numbers of the pages are of the same thing: scores of the evidence store, counts of the data sets.

A score is a method on a problem, at a site or on average, over the first seeds of the store. Tables are found by
themselves: a cell that uses what was read from the store, with a row for a method. Sentences are listed in `SAID`.
"""

import functools
import re
from typing import NamedTuple

from medgen_utils.benchmark import evidence, reference
from medgen_utils.benchmark.entries import PROTOCOL
from tools import ROOT
from tools.claims import places
from tools.claims.ledger import parse
from tools.write import results

CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
READ = re.compile(r'(\w+) = (?:benchmark\.)?(?:evidence\.(?:so_far|result)|board\.read_board)\(\s*"([^"]+)"')
COLUMNS = {"unseen": "mean", "minus ERM": "difference"}  # a board's words, and those of `Result.table`
BASELINE, REFERENCE, BREAST = "ERM", "reference: target included", "breast hospitals"
SITES = ("Cairo", "Ciudad Real", "Poland", "Rio de Janeiro")
SAID = {
    "ERM scores … to … at the four unseen sites": (BASELINE, ("lowest", "highest", "mean", "seeds", "in domain")),
    "From scratch the small network reaches a mean AUROC": (BASELINE, ("mean", "lowest", "highest", "in domain")),
    "The evidence store holds breast hospitals with": (BASELINE, ("seeds", "", "in domain", *SITES, "")),
    "On the images that both were tested on, training with": (REFERENCE, ("ahead", "", "seeds", "", "")),
    "Mean: … over … domains, … seeds": (REFERENCE, ("ahead", "", "seeds")),
}
"""Sentences about breast hospitals: how they begin, the method, and what each number is ("": something else)."""


class Shown(NamedTuple):
    """A number on a page: what it is of, and as it is printed. ``cell`` is "chapter, cell"."""

    page: str
    cell: str
    problem: str
    method: str
    quantity: str
    printed: str


def equal(a: float, b: float, printed: str) -> bool:
    """Whether two numbers are the same at the decimals of ``printed`` (a half of the last one for its rounding)."""
    decimals = len(re.sub(r"\D", "", printed.partition(".")[2]))
    return abs(a - b) <= 0.5 * 10**-decimals + 1e-6


def same(a: str, b: str) -> bool:
    """Whether two printed numbers are one, at the decimals of the coarser."""
    coarser = min(a, b, key=lambda text: len(text.partition(".")[2]))
    return equal(parse(a).value, parse(b).value, coarser)


@functools.cache
def methods_of(problem: str) -> set[str]:
    rows = evidence.read(protocol=PROTOCOL)
    return set(rows.loc[rows["problem"] == problem, "method"])


@functools.cache
def of_store(problem: str, method: str, seeds: int) -> dict[str, float]:
    """What a page may print of a method over the first ``seeds`` seeds; empty where the store has not that many."""
    names = [BASELINE] if method == BASELINE else [BASELINE, method]
    try:
        found = evidence.result(problem, names, protocol=PROTOCOL, unit="site", seed=list(range(seeds)))
    except ValueError:
        return {}
    if found.frame["seed"].nunique() < seeds:
        return {}
    units = found.scores().query("method == @method").set_index("unit")["value"]
    row = found.table().loc[method]
    values = {**units, "mean": units.mean(), "lowest": units.min(), "highest": units.max(), "seeds": seeds}
    values["in domain"] = float(row["in domain"])
    if method == REFERENCE and (beside := ahead(problem)) and beside[1] == seeds:
        values["ahead"] = beside[0]
    return values | ({} if method == BASELINE else {"difference": float(row["difference"])})


@functools.cache
def ahead(problem: str) -> tuple[float, int] | None:
    """By how much the reference is ahead of ERM on the images that both were tested on, and over how many seeds."""
    found = reference.left_out(problem)
    return (
        None
        if isinstance(found, reference.NotYet)
        else (found.differences()["value"].mean(), found.frame["seed"].nunique())
    )


def in_tables() -> list[list[Shown]]:
    """For each table of stored methods, its numbers."""
    tables = []
    for chapter in CHAPTERS:
        entries = results.read(ROOT / "chapters" / "results" / f"{chapter}.csv")
        read: dict[str, str] = {}
        for cell in places.notebook(ROOT, chapter)["cells"]:
            source = "".join(cell["source"])
            read |= dict(READ.findall(source))
            problems = {problem for name, problem in read.items() if re.search(rf"\b{name}\b", source)}
            mine = [entry for entry in entries if entry.cell == cell.get("id") and entry.output.startswith("table")]
            for problem in problems:
                rows = [entry for entry in mine if entry.row in methods_of(problem)]
                table = []
                for entry in rows:
                    column = entry.column.replace(" ↕", "")
                    quantity = COLUMNS.get(column, column)
                    if quantity in of_store(problem, entry.row, 1):
                        cell_name = f"{chapter}, {entry.cell}"
                        table.append(Shown(chapter, cell_name, problem, entry.row, quantity, entry.value))
                tables += [table] if table else []
    return tables


def in_sentences() -> list[list[Shown]]:
    """For each sentence of `SAID` on a page, its numbers."""
    found = []
    for chapter in CHAPTERS:
        entries = results.read(ROOT / "chapters" / "results" / f"{chapter}.csv")
        for start, (method, quantities) in SAID.items():
            mine = [entry for entry in entries if entry.row.startswith(start) and int(entry.column) <= len(quantities)]
            of = {entry: quantities[int(entry.column) - 1] for entry in mine}
            shown = [Shown(chapter, f"{chapter}, {e.cell}", BREAST, method, of[e], e.value) for e in mine if of[e]]
            found += [shown] if shown else []
    return found


def seeds_of(group: list[Shown]) -> int | None:
    """The number of seeds whose scores a table or sentence shows, all of them; None where no number fits."""
    for seeds in range(1, 21):
        stored = [of_store(one.problem, one.method, seeds) for one in group]
        if any(
            one.quantity not in values or not equal(parse(one.printed).value, values[one.quantity], one.printed)
            for one, values in zip(group, stored, strict=True)
        ):
            continue
        return seeds
    return None


def says_seeds(chapter: str, seeds: int) -> bool:
    """Whether an output or a text of the chapter says this number of seeds."""
    words = {1: "one", 2: "two", 3: "three"}.get(seeds, str(seeds))
    cells = places.notebook(ROOT, chapter)["cells"]
    text = " ".join(["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"])
    text += str([output for cell in cells for output in cell.get("outputs", ())])
    return bool(re.search(rf"\b({seeds}|{words}) seeds?\b", text))
