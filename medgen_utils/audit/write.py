"""The three files of a report into a folder: all or none, and safe to open. Used by `audit.report`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

FILES = ("index.html", "report.json", "metrics.csv")
_WORK = ".report-"  # of the folder, inside the report's, where new files wait until all three are whole
_SYSTEM = {"lost+found", ".DS_Store", "Thumbs.db", "desktop.ini"}  # what mounts and file managers leave behind
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def write_report(
    folder: str | Path, page: str, report: dict, metrics: pd.DataFrame, beside: Collection[str] = ()
) -> Path:
    """Write ``page``, ``report`` and ``metrics`` as index.html, report.json and metrics.csv; returns the page's path.

    The files are made beside their places and moved there once all three are whole, so that the folder may be the
    current one, a mount or a link, and an earlier report stays as it was where anything fails. FileExistsError where
    the folder holds anything else than ``beside``, OSError where it cannot be written.
    """
    folder = check_folder(folder, beside)
    made = _make(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=_WORK, dir=folder) as name:
            work = Path(name)
            (work / "index.html").write_text(visible(page), encoding="utf-8")
            (work / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")
            no_formulas(metrics).to_csv(work / "metrics.csv", index=False)
            _move(work, folder)
    except BaseException:
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
        raise
    for left in folder.glob(f"{_WORK}*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    return folder / "index.html"


def check_folder(folder: str | Path, beside: Collection[str] = ()) -> Path:
    """The folder with links followed; FileExistsError unless it is new, empty, or holds an earlier report only.

    ``beside``: names of what may lie there too, and stays as it is.
    PermissionError where nothing can be written there, so that nobody waits for a report that cannot be kept.
    """
    asked, folder = folder, Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{asked} is a file: name a folder for the report")
    if folder.is_dir():
        ours = {*_SYSTEM, *beside}
        inside = [path for path in folder.iterdir() if not path.name.startswith(_WORK) and path.name not in ours]
        names = {path.name for path in inside}
        if others := sorted(path.name for path in inside if path.name not in FILES or not path.is_file()):
            raise FileExistsError(
                f"{asked} holds other files ({', '.join(others[:3])}): name a new folder for the report, "
                f"for example {Path(asked) / 'report'}"
            )
        if names and not _earlier(folder / "report.json"):
            raise FileExistsError(
                f"{asked} holds {', '.join(sorted(names))}, but no earlier report: name a new folder for the report"
            )
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    if not standing.is_dir():
        raise FileExistsError(f"{standing} is a file, so {asked} cannot be made: name another folder for the report")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise PermissionError(f"{standing} cannot be written: name a folder of your own for the report")
    return folder


def plain(value: object) -> object:
    """Numbers, strings, lists and dictionaries as JSON knows them; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def no_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Words that a spreadsheet would run as a formula (=, +, -, @ in front) with a ' before them; numbers stay."""

    def safe(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value

    words = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    return table.assign(**{column: table[column].map(safe) for column in words})


def visible(text: str) -> str:
    """Control characters and marks that turn the direction of writing as U+FFFD: the page shows what it holds."""
    return _CONTROL.sub("\ufffd", text)


def _earlier(path: Path) -> bool:
    try:
        return "made" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _make(folder: Path) -> list[Path]:
    """The folders made, the deepest first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _move(work: Path, folder: Path) -> None:
    """All files into ``folder``, or an OSError and the earlier ones back in their places."""
    old = work / "old"
    old.mkdir()
    moved = []
    try:
        for name in FILES:
            if (folder / name).exists():
                (folder / name).rename(old / name)
            moved.append(name)
            (work / name).rename(folder / name)
    except OSError:
        for name in moved:
            (folder / name).unlink(missing_ok=True)
            if (old / name).exists():
                (old / name).rename(folder / name)
        raise
