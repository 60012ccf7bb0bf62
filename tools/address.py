"""Where the book lives and which version it is: read from pyproject.toml, the one place that says so."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from tools import ROOT


class Address(NamedTuple):
    """Where the repository is, as ``owner/name``, and the version of the package."""

    slug: str
    version: str

    @property
    def pages(self) -> str:
        """The address of the published site, without the scheme: ``owner.github.io/name/``."""
        owner, name = self.slug.split("/")
        return f"{owner}.github.io/{name}/"


def wanted(root: Path = ROOT) -> Address:
    """What pyproject.toml says. ValueError where the address is not that of a GitHub repository."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    url = project["urls"]["Repository"]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?/?", url)
    if match is None:
        raise ValueError(f"Repository = {url!r} in pyproject.toml: give https://github.com/OWNER/NAME")
    return Address(match[1], project["version"])
