"""Run chapter notebooks from top to bottom and store their outputs: ``python -m tools.execute [chapters/x.ipynb ...]``.

A notebook is written only when all of its cells succeeded. Mode and data come from the environment (MEDGEN_MODE,
MEDGEN_DATA). What was run, when and with what is kept in the notebook's metadata, under ``medgen.executed``.
"""

import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tools import ROOT

CELL_TIMEOUT = 1800  # seconds; a full-mode cell that trains
PACKAGES = ("torch", "torchvision", "numpy", "medmnist")


def execute(path: Path, cell_timeout: int = CELL_TIMEOUT) -> float:
    """Run one notebook in place; the seconds it took. Raises nbclient's CellExecutionError, and leaves the file."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    started = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=cell_timeout,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata.pop("widgets", None)  # a stored widget cannot move without a kernel
    seconds = time.perf_counter() - started
    notebook.metadata.setdefault("medgen", {})["executed"] = {
        "date": datetime.now(UTC).date().isoformat(),
        "mode": os.environ.get("MEDGEN_MODE", "fast"),
        "seconds": round(seconds),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
    temporary = path.with_suffix(".ipynb.part")
    nbformat.write(notebook, temporary)
    temporary.replace(path)
    return seconds


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or sorted(ROOT.glob("chapters/*.ipynb")):
        print(f"{path} ...", flush=True)
        print(f"{path} done in {execute(path):.0f} s", flush=True)
