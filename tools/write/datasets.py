"""What the data page says of each set comes from the package: provenance, licence, citation, traps, and the pictures.

The page holds a place for each set, between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, and one for each row of
pictures.
"""

from pathlib import Path

from medgen_utils.data.loading import SETS
from tools import ROOT
from tools.patients import MITOSIS, ULTRASOUND, Picture
from tools.write import in_step

PICTURES = {"pictures breast-hospitals": (ULTRASOUND, 2), "pictures mitosis": (MITOSIS, 3)}
COLUMNS = {
    "hospital": "hospital",
    "country": "country",
    "scanner": "scanner",
    "years": "years",
    "population": "patients",
    "tissue": "tissue",
    "species": "species",
    "grader": "graded by",
    "label_definition": "classes",
}


def described(name: str) -> str:
    """Where the images of one set come from, a column a domain; then licence, source, citation and traps."""
    info, domains = SETS[name].info, SETS[name].domains
    lines = ["| | " + " | ".join(domains.index) + " |", "|---" * (len(domains) + 1) + "|"]
    lines += [f"| {title} | " + " | ".join(domains[column]) + " |" for column, title in COLUMNS.items()]
    lines += ["", f"**Licence.** {info.licence}.", "", f"**Source.** {info.source}.", ""]
    lines += [f"**Cite.** {info.citation}.", "", '<div class="admonition warning">']
    lines += ['<p class="admonition-title">Traps</p>', ""] + [f"* {trap}" for trap in info.warnings] + ["", "</div>"]
    return "\n".join(lines)


def shown(pictures: tuple[Picture, ...], columns: int) -> str:
    """A grid of pictures, each with its domain and credit below it and words for those who do not see it."""
    lines = [f"::::{{grid}} 1 2 {columns} {columns}", ":gutter: 2", ""]
    for picture in pictures:
        lines += [":::{grid-item}", f"![{picture.alt}](_static/patients/{picture.name})", ""]
        lines += [f"{picture.domain}. {picture.credit}.", ":::", ""]
    return "\n".join([*lines, "::::"])


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring the data page in step; its name where it was not. ValueError where a set has no place on it."""
    page = root / "chapters" / "datasets.md"
    text = page.read_text(encoding="utf-8")
    parts = {name: described(name) for name in SETS} | {name: shown(*row) for name, row in PICTURES.items()}
    for name, part in parts.items():
        text = in_step.between(text, f"<!-- begin {name} -->", f"<!-- end {name} -->", part, page.name)
    return in_step.write_changed({page: text}, root, write)
