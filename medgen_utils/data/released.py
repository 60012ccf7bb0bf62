"""Files of the book's repository, for those who have the package alone: evidence, pictures. Serves all chapters.

They are no part of the source of the package; building it puts them into the folder ``carried`` (setup.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medgen_utils.data.prepared import check


def released(file: str, checksum: Callable[[], str] = str) -> Path:
    """A file of the repository ("chapters/evidence/runs.csv.gz"): the one here, else that which the package carries.

    A carried file is checked against ``checksum()`` ("sha256:...", or "" for no check), which is asked only then:
    `DataCorrupt`. FileNotFoundError, saying what to do, where there is neither.
    """
    here, carried = Path(__file__).parents[2] / file, Path(__file__).parents[1] / "carried" / file
    if here.exists():
        return here
    if not carried.exists():
        raise FileNotFoundError(f"the package was built without {file} ({carried}): install it anew, or use the book's")
    check(carried, checksum())
    return carried
