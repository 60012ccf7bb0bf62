"""Where the book lives and which version it is: read from pyproject.toml, the one place that says so.

``Repository`` in the table ``[project.urls]`` is the address. Without that line the book has none: then no page,
notebook or file shows a link to a site or repository of its own. `make publish-check` writes the line.
"""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from tools import ROOT

GITHUB = "https://github.com"


class Address(NamedTuple):
    """Where the repository is, as ``owner/name`` ("" where nobody has published the book), and the version."""

    slug: str
    version: str

    @property
    def repository(self) -> str:
        """The address of the repository, ``https://github.com/owner/name``; "" without one."""
        return self.slug and f"{GITHUB}/{self.slug}"

    @property
    def pages(self) -> str:
        """The published site, ``https://owner.github.io/name/``, a user's ``https://owner.github.io/``; or ""."""
        if not self.slug:
            return ""
        owner, name = self.slug.split("/")
        host = f"{owner.lower()}.github.io"
        return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"

    @property
    def path(self) -> str:
        """The part of `pages` after the host: where the site starts on its server, ``/name/`` or ``/``."""
        return "/" + self.pages.partition(".github.io/")[2]


def wanted(root: Path = ROOT) -> Address:
    """What pyproject.toml says. ValueError where the address is not that of a GitHub repository."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    url = project.get("urls", {}).get("Repository", "")
    return Address(slug_of(url) if url else "", project["version"])


def slug_of(url: str) -> str:
    """``owner/name`` of ``https://github.com/owner/name``; ValueError for anything else."""
    match = re.fullmatch(rf"{GITHUB}/([\w-]+/[\w.-]+?)(\.git)?/?", url)
    if match is None:
        raise ValueError(f"{url!r} is not the address of a repository: give {GITHUB}/OWNER/NAME (pyproject.toml)")
    return match[1]
