"""The works of ``chapters/atlas.yml`` with what the rest of the book says of them: name, title, year, chapters, claims.

An entry holds what title or abstract say, and what of the work runs in this book. Everything else is found here, so
that it cannot disagree: references.bib knows name, title and year, the chapters link to the works that they cite, and
the claims name their sources.
"""

import importlib
import re
from pathlib import Path
from typing import NamedTuple

import yaml
from pybtex.database import parse_file

from tools import ROOT
from tools.claims import places
from tools.claims.ledger import Claim, bibliography
from tools.claims.ledger import load as load_claims

FIELDS = {"kind", "shift", "family", "modality", "sites", "executed", "says"}
CITED = re.compile(r"references\.md#ref-([\w-]+)")


class Work(NamedTuple):
    """One work. ``chapters``: names of the notebooks that cite it; ``claims``: those it is a source of."""

    key: str
    name: str
    title: str
    year: int
    kind: str
    shift: list[str]
    family: str
    modality: list[str]
    sites: str
    executed: list[str]
    says: str
    chapters: list[str]
    claims: list[Claim]


class Shift(NamedTuple):
    """A kind of shift: its graph, its demonstration on the clinic (a claim with a figure), its claims, its families."""

    name: str
    title: str
    changes: str
    clinic: Claim
    claims: list[Claim]
    families: dict[str, str]  # placed against it by the book: name -> chapter


class Atlas(NamedTuple):
    kinds: list[str]
    shifts: list[Shift]
    families: dict[str, str]
    works: list[Work]


def load(root: Path = ROOT) -> Atlas:
    """The map, works by name. ValueError, naming the entry, for what is unknown, missing or not one work's."""
    raw = yaml.safe_load((root / "chapters" / "atlas.yml").read_text(encoding="utf-8"))
    claims = {claim.id: claim for claim in load_claims(root)}
    books = parse_file(root / "chapters" / "references.bib").entries
    if wrong := sorted(set(raw["works"]) ^ set(books)):
        raise ValueError(f"atlas.yml and references.bib differ in {wrong}: each work has one entry in both")
    names, cited = bibliography(root), _cited(root)
    works = []
    for key, entry in raw["works"].items():
        _check(key, entry, raw)
        works.append(
            Work(
                key=key,
                name=names[key][0],
                title=re.sub(r"[{}]", "", books[key].fields["title"]),
                year=int(books[key].fields["year"]),
                kind=entry["kind"],
                shift=entry.get("shift", []),
                family=entry.get("family", ""),
                modality=entry.get("modality", []),
                sites=str(entry.get("sites", "")),
                executed=entry.get("executed", []),
                says=entry.get("says", ""),
                chapters=[chapter for chapter, keys in cited.items() if key in keys],
                claims=[claim for claim in claims.values() if key in claim.sources],
            )
        )
    placed = {name: entry.get("placed") for name, entry in raw["families"].items()}
    shifts = []
    for name, entry in raw["shifts"].items():
        if lost := sorted({entry["clinic"], *entry["claims"]} - set(claims)):
            raise ValueError(f"atlas.yml, shift {name!r}: no claims {lost} in claims.yml")
        families = {one: raw["families"][one]["chapter"] for one in placed if placed[one] == name}
        mine = [claims[one] for one in entry["claims"]]
        shifts.append(Shift(name, entry["title"], entry["changes"], claims[entry["clinic"]], mine, families))
    chapters = {name: entry["chapter"] for name, entry in raw["families"].items()}
    return Atlas(raw["kinds"], shifts, chapters, sorted(works, key=lambda work: (work.name.lower(), work.key)))


def _check(key: str, entry: dict, raw: dict) -> None:
    wrong = [f"unknown {name!r}" for name in sorted(set(entry) - FIELDS)]
    wrong += [] if entry.get("kind") in raw["kinds"] else [f"kind {entry.get('kind')!r} is none of {raw['kinds']}"]
    wrong += [
        f"shift {name!r} is none of {list(raw['shifts'])}"
        for name in entry.get("shift", ())
        if name not in raw["shifts"]
    ]
    if "family" in entry and entry["family"] not in raw["families"]:
        wrong.append(f"family {entry['family']!r} is none of {list(raw['families'])}")
    if entry.get("kind") == "remedy" and "family" not in entry:
        wrong.append("a remedy has a family")
    wrong += [f"medgen_utils has no {name}" for name in entry.get("executed", ()) if not exists(name)]
    if wrong:
        raise ValueError(f"atlas.yml, work {key!r}: {'; '.join(wrong)}")


def exists(name: str) -> bool:
    """Whether medgen_utils has a module, or a module's class or function, of this dotted name."""
    path, _, last = f"medgen_utils.{name}".rpartition(".")
    try:
        return hasattr(importlib.import_module(path), last) or bool(importlib.import_module(f"{path}.{last}"))
    except ImportError:
        return False


def _cited(root: Path) -> dict[str, set[str]]:
    """chapter -> the keys its text links to, chapters in the order of the book."""
    toc = re.findall(r"file: chapters/(\w+)$", (root / "_toc.yml").read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for name in toc if (root / "chapters" / f"{name}.ipynb").is_file()]
    found = {}
    for name in names:
        cells = places.notebook(root, name)["cells"]
        outputs = [str(output) for cell in cells for output in cell.get("outputs", ())]
        found[name] = set(CITED.findall("\n".join(["".join(cell["source"]) for cell in cells] + outputs)))
    return found
