"""A copy of the checkout that may be given an address, or lose it."""

import shutil
from pathlib import Path

import pytest

from tools import ROOT
from tools.publish.package import RELEASE

NOT_COPIED = {".git", ".venv", ".venv-colab", "_build", "_sweep", "build", "dist", "shared"}


def copy_of(root: Path, target: Path) -> Path:
    """The checkout in a new folder: pictures, scripts and data as links, all that a stamp may write as files."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if NOT_COPIED & set(name.parts) or name.parts[-1].endswith((".egg-info", "__pycache__")) or not path.is_file():
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg", ".webp", ".svg", ".js", ".woff", ".gz", ".npz"):
            (target / name).symlink_to(path)
        else:
            shutil.copy(path, target / name)
    return target


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of this checkout, without an address."""
    root = copy_of(ROOT, tmp_path / "book")
    (root / RELEASE).unlink(missing_ok=True)
    return root
