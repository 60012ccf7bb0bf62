"""Schematics drawn by hand, one SVG file each, with their words inside. Serves all chapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Schematic:
    """A drawing that a notebook shows as SVG; where it cannot be shown or seen, ``alt`` stands for it."""

    svg: str = field(repr=False)
    alt: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The drawing and its words; the site and the slides take the alt text from the metadata."""
        kind = "image/svg+xml"
        return {kind: self.svg, "text/plain": self.alt}, {kind: {"alt": self.alt}}


def schematic(name: str) -> Schematic:
    """The drawing ``schematics/<name>.svg`` of this folder; its <title> and <desc> are its alt text.

    KeyError with the names there are, where there is none of this name.
    """
    folder = resources.files("medgen_utils.figures") / "schematics"
    names = sorted(file.name.removesuffix(".svg") for file in folder.iterdir() if file.name.endswith(".svg"))
    if name not in names:
        raise KeyError(f"no schematic {name!r}: choose from {names}")
    svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    title, words = (" ".join((root.findtext(f"{SVG}{tag}") or "").split()) for tag in ("title", "desc"))
    return Schematic(svg, f"{title}: {words}")
