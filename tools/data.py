"""Fetch the data that the chapters use, where it is not on this machine yet: ``make data``.

A chapter names its data sets in its metadata. They are looked for in MEDGEN_DATA and in the cache, then downloaded from
their publishers and prepared, as `medgen_utils.data.load` does it. Exit status 1 where one cannot be had.
"""

import json
import os
import sys
from pathlib import Path

from medgen_utils.data import DataCorrupt, DataUnavailable, find, load
from tools import ROOT


def named(root: Path = ROOT) -> list[str]:
    """Every data set that a chapter names, once."""
    notebooks = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(root.glob("chapters/*.ipynb")))
    needs = (notebook["metadata"].get("medgen", {}).get("data", []) for notebook in notebooks)
    return sorted({name for names in needs for name in names})


def main() -> int:
    lacking = 0
    for name in named():
        if find(name):
            print(f"{name:<20} is here")
            continue
        print(f"{name:<20} is fetched ...", flush=True)
        try:
            load(name)
        except (DataUnavailable, DataCorrupt) as error:
            print(f"{name}: {error}", file=sys.stderr)
        if not find(name):
            lacking += 1
            if os.environ.get("MEDGEN_NONCOMMERCIAL") != "accept":
                print(
                    f"{name}: a part may need MEDGEN_NONCOMMERCIAL=accept (see chapters/datasets.md)", file=sys.stderr
                )
    return int(lacking > 0)


if __name__ == "__main__":
    sys.exit(main())
