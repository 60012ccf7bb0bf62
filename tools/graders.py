"""The networks that experts teach in the chapter on concept shift: ``python -m tools.graders``, seeds as arguments.

Trains what ``_sweep/graders`` lacks (seeds 0, 1 and 2 unless given; about five minutes of one core a seed), packs it
into the evidence store and writes the store's manifest. Killed and started again, it runs what is missing.
"""

import argparse
from pathlib import Path

from medgen_utils.benchmark import evidence, graders, packing
from medgen_utils.data import load_graders
from tools import ROOT

WORK, STORE = ROOT / "_sweep" / "graders", ROOT / evidence.STORE


def main(arguments: list[str] | None = None, work: Path = WORK, store: Path = STORE) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, help="runs side by side (default: one a core)")
    parser.add_argument("--pack", action="store_true", help="train nothing, pack what is there")
    options = parser.parse_args(arguments)
    cells, table = load_graders("ami-br")
    if not options.pack:
        graders.fill(work, cells, table.to_numpy(int), graders.plan(options.seeds), options.jobs)
    print(f"{graders.pack(work, store / graders.FILE)} networks in {graders.FILE}")
    packing.write_manifest(store)


if __name__ == "__main__":
    main()
