"""For notebooks run as tests: one whose data is not on this machine is skipped, and the summary says which and why."""

import json
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb" and (reason := missing_data(item.path)):
            item.add_marker(pytest.mark.skip(reason=reason))
