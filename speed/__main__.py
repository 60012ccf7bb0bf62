"""Measure what things cost and write the table of ``speed/README.md``: ``make speed``.

    python -m speed [GROUP ...] [--pairs 9]

Groups: methods, scores, damage, loop, together. A row is kept until its group is measured again. The peers come from
the package index into ``_build/peers`` (``make speed`` fetches them) without what they depend on, since some pin an
old torch; a group whose peer is not there says so and is left out.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import platform
import sys
from importlib import metadata
from pathlib import Path

import torch

from medgen_utils.machine import keep_memory, threads
from speed.pairs import Row

GROUPS = ("methods", "scores", "damage", "loop", "together")
HERE = Path(__file__).parent
TABLE, README, PEERS = HERE / "table.csv", HERE / "README.md", HERE.parent / "_build/peers"
COLUMNS = ["group", *Row._fields, "machine"]
BEGIN, END = "<!-- begin table -->\n", "<!-- end table -->"


def machine() -> str:
    """What the numbers were measured on."""
    versions = f"Python {platform.python_version()}, torch {metadata.version('torch')}"
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {versions}"


def stored() -> list[dict[str, str]]:
    """The rows that were measured before."""
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def keep(rows: list[dict[str, str]]) -> None:
    """Write the table, and show it in the README."""
    rows = sorted(rows, key=lambda row: GROUPS.index(row["group"]))
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["| work | beside | ours, ms | theirs, ms | times as fast (quartiles) |", "|---|---|---:|---:|---:|"]
    for row in rows:
        middle = f"{float(row['ratio']):.2f} ({float(row['low']):.2f} to {float(row['high']):.2f})"
        times = f"{float(row['ours_ms']):,.1f} | {float(row['peer_ms']):,.1f}"
        lines.append(f"| {row['work']} | {row['peer']} | {times} | {middle} |")
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def measure(group: str, pairs: int) -> list[dict[str, str]]:
    """The rows of a group, now; none where its peer is not installed."""
    found = []
    try:
        for row in importlib.import_module(f"speed.{group}").rows(pairs):
            print(f"{row.ratio:8.2f} ({row.low:.2f} to {row.high:.2f})  {row.work}, beside {row.peer}", flush=True)
            numbers = {
                key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row._asdict().items()
            }
            found.append({"group": group, **numbers, "machine": machine()})
    except ImportError as error:
        print(f"{group}: {error}; see speed/README.md for how to install the peers")
        return []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", default=GROUPS, help="which groups (default: all)")
    parser.add_argument("--pairs", type=int, default=9, help="pairs of measurements a row, at least 7 for the table")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group {sorted(unknown)}: choose from {GROUPS}")
    sys.path.append(str(PEERS))
    keep_memory()  # as `fit` does; both sides have it
    with threads(1):
        for group in options.groups:
            if rows := measure(group, options.pairs):
                keep([row for row in stored() if row["group"] != group] + rows)


if __name__ == "__main__":
    main()
