"""The archive that notebooks install is the same bytes everywhere; what is built from it works without the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import ROOT
from tools.address import Address, wanted
from tools.publish import package


def test_the_archive_depends_on_the_files_alone(tmp_path, checkout):
    first = package.sha256(package.archive(tmp_path / "a" / "one.zip"))
    for path in checkout.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    (checkout / "medgen_utils" / "__pycache__").mkdir(exist_ok=True)
    (checkout / "medgen_utils" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert package.sha256(package.archive(tmp_path / "two.zip", checkout)) == first
    (checkout / "medgen_utils" / "clinic.py").write_text("")
    assert package.sha256(package.archive(tmp_path / "two.zip", checkout)) != first


def test_the_archive_holds_the_package_and_what_it_carries_and_no_notebook(tmp_path):
    with zipfile.ZipFile(package.archive(tmp_path / "a.zip")) as archive:
        names = set(archive.namelist())
    whole = {path for path in (ROOT / "medgen_utils").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    for folder in ("evidence", "_static/patients"):
        whole |= {path for path in (ROOT / "chapters" / folder).rglob("*") if path.is_file()}
    beside = {"pyproject.toml", "setup.py", "MANIFEST.in", "README.md", *(path.name for path in ROOT.glob("LICENSE*"))}
    assert names == {f"medgen-utils/{name}" for name in {*(str(path.relative_to(ROOT)) for path in whole), *beside}}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> list[Path]:
    """Wheel, source distribution and archive."""
    folder = tmp_path_factory.mktemp("package")
    return [*package.build(folder, isolated=False), folder / package.ARCHIVE]


@pytest.mark.parametrize("kind", [".whl", ".gz", ".zip"])
def test_what_is_built_installs_and_works_without_the_checkout(tmp_path, built, kind):
    (path,) = (path for path in built if path.suffix == kind)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(tmp_path / "installed"), str(path)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    result = subprocess.run([sys.executable, "-c", package.SMOKE], cwd=tmp_path, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()


def test_the_smoke_test_notices_the_checkout():
    result = subprocess.run([sys.executable, "-c", package.SMOKE], cwd=ROOT, capture_output=True, text=True)
    assert "this is no installed package" in result.stderr


def test_pip_refuses_another_file_than_the_one_a_notebook_asks_for(tmp_path, built):
    archive = built[-1]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    right = f"{archive.as_uri()}#sha256={package.sha256(archive)}"
    subprocess.run([*command, str(tmp_path / "right"), right], check=True, capture_output=True)
    shutil.copy(archive, tmp_path / package.ARCHIVE)
    with zipfile.ZipFile(tmp_path / package.ARCHIVE, "a") as changed:
        changed.writestr("medgen-utils/medgen_utils/more.py", "print('run on every reader's machine')")
    wrong = f"{(tmp_path / package.ARCHIVE).as_uri()}#sha256={package.sha256(archive)}"
    result = subprocess.run([*command, str(tmp_path / "wrong"), wrong], capture_output=True, text=True)
    assert result.returncode != 0 and "HASHES" in result.stderr


def test_the_archive_of_another_version_is_not_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"version None, not 1\.0.*publish-check"):
        package.released(tmp_path, "1.0")
    (tmp_path / package.RELEASE).parent.mkdir()
    (tmp_path / package.RELEASE).write_text('{"version": "1.0", "sha256": "ab"}')
    assert package.released(tmp_path, "1.0") == "ab"
    with pytest.raises(ValueError, match=r"version 1\.0, not 1\.1"):
        package.released(tmp_path, "1.1")


def test_a_release_of_this_version_keeps_the_archive_under_its_tag():
    place = package.place(Address("owner/name", "1.2.0"))
    assert place == "https://github.com/owner/name/releases/download/v1.2.0/medgen_utils.zip"


def test_a_tag_is_released_where_version_and_archive_agree(checkout):
    from tools.publish import steps

    steps.write("https://github.com/someone/their-book", checkout)
    tag = f"v{wanted(checkout).version}"
    assert package.check(tag, checkout) == ""
    assert "is not v" in package.check("v0.0.0", checkout)
    (checkout / "medgen_utils" / "clinic.py").write_text("# changed after the stamp\n")
    assert "the notebooks ask for" in package.check(tag, checkout)
    steps.write("", checkout)
    assert "no address is set" in package.check(tag, checkout)
