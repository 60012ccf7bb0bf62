import json
from pathlib import Path

import pytest

from tests.claims.examples import GOOD, TABLE, code, markdown, write_claims
from tools.claims import page
from tools.write import results


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book with one chapter, one claim and what belongs to them."""
    folder = tmp_path / "chapters"
    folder.mkdir()
    notebook = {
        "cells": [
            markdown("# A chapter: of numbers\n\n<div>\n\n**Time.** Short.\n\n</div>"),
            code("set-up", {"text/plain": "torch 2.0"}),
            markdown("## The experiment"),
            code("table", {"text/html": TABLE, "text/plain": "A 0.90"}),
            code(
                "words",
                {
                    "text/markdown": "**Gap** 0.10 (0.05 to 0.15). With 3 of 4 seeds.\n\n"
                    "| a | b |\n|---|---|\n| c | 1 % |"
                },
            ),
            markdown("## Exercises"),
            code("exercise", {"text/plain": "0.5"}),
        ],
        "metadata": {"medgen": {"executed": {"date": "2026-11-23", "mode": "full", "seconds": 5}}},
    }
    (folder / "one.ipynb").write_text(json.dumps(notebook))
    (folder / "references.bib").write_text(
        "@article{key2020,\n  author = {Key, A. and Lock, B.},\n  year = {2020},\n  doi = {10.1/2},\n}\n"
    )
    (folder / "index.md").write_text(f"# Home\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nThe end.\n")
    write_claims(tmp_path, GOOD)
    results.update(tmp_path)
    page.update(tmp_path)
    return tmp_path
