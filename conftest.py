"""For notebooks run as tests: one whose data is not on this machine is skipped, and the summary says which and why.

With MEDGEN_REQUIRE_DATA=1, as continuous integration sets it, that is an error: no green run has skipped a chapter.
"""

import json
import os
from functools import cache
from pathlib import Path

import pytest


@cache
def missing_data(notebook: Path) -> str:
    """Why a chapter cannot run here, or "". It names its data sets in its metadata: ``{"medgen": {"data": [...]}}``."""
    from medgen_utils.data import find

    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    missing = [name for name in metadata.get("medgen", {}).get("data", []) if not find(name)]
    if not missing:
        return ""
    return f"{notebook.name} needs {', '.join(missing)}: neither in MEDGEN_DATA nor in the cache"


def pytest_configure() -> None:
    """A wrong MEDGEN_DATA is said in one line, before anything is collected."""
    named = os.environ.get("MEDGEN_DATA")
    if named and not any(folder.is_dir() for folder in (Path(named), Path(__file__).parent / named)):
        raise pytest.UsageError(f"MEDGEN_DATA={named!r} is not a folder: correct the environment variable or unset it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = {item.path: missing_data(item.path) for item in items if item.path.suffix == ".ipynb"}
    if os.environ.get("MEDGEN_REQUIRE_DATA") == "1" and any(reasons.values()):
        lines = "\n".join(filter(None, reasons.values()))
        raise pytest.UsageError(f"{lines}\nMEDGEN_REQUIRE_DATA is set: run `make data`")
    for item in items:
        if reason := reasons.get(item.path):
            item.add_marker(pytest.mark.skip(reason=reason))
