"""The folder of a report: all three files or none, wherever it lies, and nothing in them that runs."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medgen_utils.audit.write import FILES, check_folder, no_formulas, plain, visible, write_report

METRICS = pd.DataFrame({"algorithm": ["a"], "domain": ["north"], "value": [-0.5]})


def write(folder: Path | str, title: str = "first") -> Path:
    return write_report(folder, f"<h1>{title}</h1>", {"made": {}, "title": title}, METRICS)


def title(folder: Path) -> str:
    return json.loads((folder / "report.json").read_text())["title"]


def test_the_current_folder_holds_a_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(".")
    write(".", "second")
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert title(tmp_path) == "second"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_stays_a_link(tmp_path, there):
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.mkdir()
    link.symlink_to("target")
    write(link)
    assert link.is_symlink()
    assert {path.name for path in target.iterdir()} == set(FILES)


def test_a_folder_that_cannot_be_renamed_is_written_in_place(tmp_path, monkeypatch):
    """A mount point: the folder itself stays the same one."""
    folder = tmp_path / "mount"
    folder.mkdir()
    (folder / "lost+found").mkdir()
    number = folder.stat().st_ino
    write(folder)
    assert folder.stat().st_ino == number
    assert {path.name for path in folder.iterdir()} == {*FILES, "lost+found"}


@pytest.mark.parametrize("name", ["thesis.docx", "index.html", "metrics.csv"])
def test_files_that_are_no_report_are_left_alone(tmp_path, name):
    (tmp_path / name).write_text("years of work")
    with pytest.raises(FileExistsError, match=name):
        write(tmp_path)
    assert (tmp_path / name).read_text() == "years of work"


def test_what_may_lie_beside_a_report_stays(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(FileExistsError, match="runs"):
        write(tmp_path)
    for _ in range(2):
        write_report(tmp_path, "<h1>x</h1>", {"made": {}}, METRICS, beside=("runs",))
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "runs"}


def test_numbers_are_plain_for_json():
    nested = {1: [np.int64(2), np.nan, (np.float32(0.5), np.inf)], "x": np.bool_(True)}
    assert plain(nested) == {"1": [2, None, [0.5, None]], "x": True}


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "report").write_text("a file")
    for folder in (tmp_path / "report", tmp_path / "report" / "deeper"):
        with pytest.raises(FileExistsError, match="is a file"):
            check_folder(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_named_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="of your own"):
        check_folder(tmp_path / "report")


def test_a_failure_leaves_nothing_or_the_earlier_report(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", full)
        with pytest.raises(OSError, match="space"):
            write(tmp_path / "deep" / "report")
        assert list(tmp_path.iterdir()) == []
    write(tmp_path / "report")
    rename = Path.rename

    def fails_at_the_last(self: Path, target: Path) -> Path:
        if self.name == "metrics.csv" and self.parent.name.startswith(".report-"):
            raise OSError("disk gone")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_at_the_last)
    with pytest.raises(OSError, match="gone"):
        write(tmp_path / "report", "second")
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(FILES)
    assert title(tmp_path / "report") == "first"
    assert (tmp_path / "report" / "index.html").read_text() == "<h1>first</h1>"


def test_what_a_killed_run_left_is_swept_away(tmp_path):
    (tmp_path / ".report-abc").mkdir()
    (tmp_path / ".report-abc" / "index.html").write_text("half")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize("word", ['=HYPERLINK("x")', "+1", "-2", "@SUM(A1)", "\tx"])
def test_no_cell_starts_a_formula_and_numbers_stay(word):
    table = no_formulas(pd.DataFrame({"domain": [word, "north"], "value": [-0.5, 1.0]}))
    assert table["domain"].tolist() == [f"'{word}", "north"]
    assert table["value"].tolist() == [-0.5, 1.0]


def test_control_characters_are_shown_and_text_stays():
    assert visible("K\u00f6ln\n\t\u200dA\x07\x0b\u202egnp") == "K\u00f6ln\n\t\u200dA\ufffd\ufffd\ufffdgnp"
