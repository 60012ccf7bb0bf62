"""The package as one file: what the set-up cell of a chapter installs where the package is not. ``make package``.

The archive holds what building the package needs, and nothing that depends on a clock or a machine: the same commit
gives the same bytes, so that a checksum written into the notebooks today is that of the file which a release carries
tomorrow. ``make package`` writes it into ``_build/package``, with wheel and source distribution beside it.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tools import ROOT
from tools.address import Address, wanted

ARCHIVE = "medgen_utils.zip"
FOLDER = ROOT / "_build" / "package"
PARTS = (
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE*",
    "medgen_utils/**/*",
    "chapters/evidence/**/*",
    "chapters/_static/patients/*",
)
RELEASE = "tools/release.json"  # version and SHA-256 of the archive that the notebooks install: `make publish-check`
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file knows

SMOKE = """
import importlib, pkgutil
from pathlib import Path
import medgen_utils

assert not (Path(medgen_utils.__file__).parents[1] / "chapters").exists(), "this is no installed package"
for module in pkgutil.walk_packages(medgen_utils.__path__, "medgen_utils."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from medgen_utils.benchmark import evidence
from medgen_utils.data import load
from medgen_utils.figures import pictures

assert load("clinic").x.shape[1:] == (1, 28, 28)
assert len(evidence.read()) > 1000
assert pictures.picture("rio-logiq-7").size > (100, 100)
"""
"""What an installed package must do: import all of itself, make the clinic, show what it carries."""


def place(address: Address) -> str:
    """Where the release of this version keeps the archive."""
    return f"{address.repository}/releases/download/v{address.version}/{ARCHIVE}"


def archive(target: Path, root: Path = ROOT) -> Path:
    """Write the archive of the files under ``root``; uncompressed, since compressors differ between versions."""
    files = {path for pattern in PARTS for path in root.glob(pattern) if path.is_file()}
    kept = sorted(path.relative_to(root) for path in files if "__pycache__" not in path.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for path in kept:
            entry = zipfile.ZipInfo(f"medgen-utils/{path.as_posix()}", LONG_AGO)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            file.writestr(entry, (root / path).read_bytes())
    return target


def sha256(path: Path) -> str:
    """The checksum of a file, 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def released(root: Path, version: str) -> str:
    """The SHA-256 of the archive of a version. ValueError where none was made: no notebook installs it unchecked."""
    path = root / RELEASE
    made = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if made.get("version") != version:
        raise ValueError(
            f"{RELEASE} has the archive of version {made.get('version')}, not {version}: run `make publish-check` "
            "with the ADDRESS, which makes it"
        )
    return made["sha256"]


def release(root: Path, version: str) -> str:
    """Make the archive of a version and note its SHA-256, which this returns."""
    checksum = sha256(archive(root / "_build" / "package" / ARCHIVE, root))
    text = json.dumps({"version": version, "sha256": checksum}, indent=2) + "\n"
    (root / RELEASE).write_text(text, encoding="utf-8")
    return checksum


def build(folder: Path, root: Path = ROOT, isolated: bool = True) -> list[Path]:
    """Build wheel and source distribution from the archive, so from nothing but what it holds; their paths.

    ``isolated=False`` builds with the setuptools that is here instead of fetching one.
    """
    source = folder / "source"
    with zipfile.ZipFile(archive(folder / ARCHIVE, root)) as file:
        file.extractall(source)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source / "medgen-utils")]
    subprocess.run(command + ([] if isolated else ["--no-isolation"]), check=True, capture_output=True, text=True)
    return sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])


def check(tag: str, root: Path = ROOT) -> str:
    """What is wrong with releasing this checkout under a tag; "" where nothing is."""
    address = wanted(root)
    if not address.slug:
        return "no address is set: run `make publish-check ADDRESS=...`"
    if tag != f"v{address.version}":
        return f"the tag {tag} is not v{address.version}, the version of pyproject.toml"
    found, expected = sha256(archive(root / "_build" / "package" / ARCHIVE, root)), released(root, address.version)
    if found != expected:
        return f"{ARCHIVE} has the SHA-256 {found}, the notebooks ask for {expected}: run `make publish-check` again"
    return ""


def main(arguments: list[str]) -> int:
    """Nothing, or ``--check TAG``."""
    if arguments[:1] == ["--check"]:
        wrong = check(arguments[1])
        print(wrong or f"{ARCHIVE} is what the notebooks ask for")
        return int(bool(wrong))
    shutil.rmtree(FOLDER, ignore_errors=True)
    for written in (FOLDER / ARCHIVE, *build(FOLDER)):
        print(f"{sha256(written)}  {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
