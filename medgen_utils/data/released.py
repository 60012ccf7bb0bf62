"""Files of the book's repository, for those who have the package alone: evidence, pictures. Serves all chapters."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from medgen_utils.data.prepared import Source, obtain


def released(file: str, checksum: Callable[[], str] = str) -> Path:
    """A file of the repository ("chapters/evidence/runs.csv.gz"): the one here, else that of the package's release.

    What is downloaded is kept in the cache and checked against ``checksum()`` ("sha256:...", or "" for no check), which
    is asked only then. `DataUnavailable` and `DataCorrupt` as in `medgen_utils.data.prepared`.
    """
    here = Path(__file__).parents[2] / file
    if here.exists():
        return here
    package = metadata.metadata("medgen-utils")
    repository = dict(line.split(", ") for line in package.get_all("Project-URL"))["Repository"]
    name = f"book-{package['Version']}-{file.removeprefix('chapters/').replace('/', '-')}"
    return obtain(Source(name, f"{repository}/raw/v{package['Version']}/{file}", checksum()))
