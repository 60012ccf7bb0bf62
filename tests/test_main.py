"""The command: its options reach the audit, its messages go to stderr, and nothing half-made stays behind."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from threadpoolctl import threadpool_info

from medgen_utils import __main__ as command
from tests.audit.examples import table

CASES = Path(__file__).resolve().parents[1].parent / "shared" / "cases"


@pytest.fixture
def csv(tmp_path):
    def write(data: pd.DataFrame, **options):
        path = tmp_path / "predictions.csv"
        data.to_csv(path, index=False, **options)
        return path

    return write


def run(path: Path, out: Path | str, *options: str) -> int:
    return command.main(
        ["audit", str(path), "--domain", "hospital", "--out", str(out), "--resamples", "100", "--prob", "p", *options]
    )


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


RAW = {
    "empty file": (b"", ["empty"]),
    "header only": (b"y,p,hospital\n", ["no rows"]),
    "wrong encoding": (
        "y,p,hospital\n1,0.5,K\u00f6ln\n".encode("latin-1"),
        ["row 1", "'hospital'", "byte 0xf6", "--encoding latin-1"],
    ),
    "too many fields": (b"y,p,hospital\n1,0.5,a\n1,0.5,a,b\n", ["row 2", "header"]),
    "unnamed column": (b"y,p,hospital\n1,0.5,a,b\n0,0.5,a,b\n", ["more than the header"]),
    "column twice": (b"y,p,p,hospital\n1,0.5,0.5,a\n", ["'p'", "twice"]),
}


@pytest.mark.parametrize("case", RAW)
def test_broken_files_are_refused_on_stderr_and_leave_no_report(tmp_path, capsys, case):
    path = tmp_path / "predictions.csv"
    content, words = RAW[case]
    path.write_bytes(content)
    assert run(path, tmp_path / "report") == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert [word for word in words if word not in caught.err] == []
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.csv"]


def test_a_missing_file_and_a_missing_reference_are_named(csv, tmp_path, capsys):
    assert run(tmp_path / "nowhere.csv", tmp_path / "report") == 2
    assert "nowhere.csv" in capsys.readouterr().err
    assert run(csv(table()), tmp_path / "report", "--reference", "Mars") == 2
    assert "Mars" in capsys.readouterr().err


def test_other_encodings_and_words_are_read_when_told(csv, tmp_path):
    data = table(domains=("K\u00f6ln", "NA"))
    data["y"] = data["y"].map({0: "benign", 1: "malignant"})
    path = csv(data, sep=";", encoding="latin-1")
    assert run(path, tmp_path / "report", "--encoding", "latin-1", "--positive", "malignant") == 0
    assert [row["domain"] for row in report(tmp_path / "report")["domains"]] == ["K\u00f6ln", "NA"]


def test_notes_go_to_stderr_and_the_page_to_stdout(csv, tmp_path, capsys):
    assert run(csv(table().assign(patient=range(240))), tmp_path / "report", "--group", "patient") == 0
    caught = capsys.readouterr()
    assert "note: every patient" in caught.err
    assert caught.out == f"Report: {(tmp_path / 'report' / 'index.html').resolve()}\n"


def test_runs_and_splits_are_options(csv, tmp_path):
    data = pd.concat([table().assign(seed=s) for s in "ab"])
    data = pd.concat([data.assign(split="test"), data.assign(split="validation")])
    options = ["--run", "seed", "--id", "id", "--split", "test", "--classes", "benign, malignant"]
    assert run(csv(data), tmp_path / "report", *options) == 0
    made = report(tmp_path / "report")
    assert made["runs"] == {"p": 2}
    assert sum(row["images"] for row in made["domains"]) == 240


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (["--prior", "balanced"], "prior", "balanced"),
        (["--prior", ".7,.3"], "prior", [0.7, 0.3]),
        (["--threshold", ".4"], "thresholds", {"p": 0.4, "q": 0.4}),
        (["--threshold", "p=.4", "--threshold", "q=.6"], "thresholds", {"p": 0.4, "q": 0.6}),
        (["--classes", "benign, malignant"], "class_names", ["benign", "malignant"]),
    ],
)
def test_settings_reach_the_report(csv, tmp_path, options, key, value):
    assert run(csv(table()), tmp_path / "report", "--prob", "q", *options) == 0
    assert report(tmp_path / "report")[key] == value


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prior", "half"], "--prior half: give numbers"),
        (["--prior", ".7,.7"], "sum to 1"),
        (["--prior", "reference"], "reference"),
        (["--threshold", "high"], "--threshold high: give one number"),
        (["--min-patients", "0"], "--min-patients 1 or more"),
        (["--reference", "hme"], "did you mean 'home'?"),
    ],
)
def test_settings_that_mean_nothing_are_named(csv, tmp_path, capsys, options, words):
    assert run(csv(table()), tmp_path / "report", *options) == 2
    assert words in capsys.readouterr().err


def domains(folder: Path) -> list[tuple]:
    return [(row["images"], row["patients"]) for row in report(folder)["domains"]]


def test_patients_breasts_and_subgroups_are_options(csv, tmp_path):
    data = table().assign(breast=lambda t: (t.index // 2 % 2).map({0: "left", 1: "right"}), sex=["f", "m"] * 120)
    path, out = csv(data), tmp_path / "report"
    assert run(path, out, "--group", "patient", "--min-patients", "3") == 0
    assert domains(out) == [(80, 40)] * 3
    assert run(path, out, "--group", "patient", "--aggregate", "patient") == 0
    assert domains(out) == [(40, 40)] * 3
    assert run(path, out, "--aggregate", "patient", "--by", "max") == 0
    assert domains(out) == [(40, 40)] * 3
    assert run(path, out, "--group", "patient", "--aggregate", "breast") == 0
    assert domains(out) == [(80, 40)] * 3
    assert run(path, out, "--subgroup", "sex") == 0
    assert {row["subgroup"] for row in report(out)["subgroups"]} == {"f", "m"}


def test_the_audit_runs_with_one_thread_a_pool(csv, tmp_path, monkeypatch):
    threads = []
    audit = command.audit
    monkeypatch.setattr(
        command, "audit", lambda *a, **k: threads.extend(p["num_threads"] for p in threadpool_info()) or audit(*a, **k)
    )
    assert run(csv(table()), tmp_path / "report") == 0
    assert set(threads) == {1}


def test_every_option_of_the_command_has_a_help_and_reaches_the_reader():
    options = vars(command.parser().parse_args(["audit", "x.csv", "--out", "o"]))
    assert all(text for _, _, text in command.AUDIT)
    assert {"run", "split", "decimal", "unknown", "classes"} <= set(options)


def test_the_command_runs_as_a_module_and_takes_a_pipe(csv, tmp_path):
    path = csv(table(domains=("home", "away")))
    words = [sys.executable, "-m", "medgen_utils", "audit", "/dev/stdin", "--prob", "p", "--domain", "hospital"]
    with path.open("rb") as file:
        done = subprocess.run(
            [*words, "--out", str(tmp_path / "deep" / "report"), "--resamples", "100"], stdin=file, capture_output=True
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deep" / "report" / "index.html").exists()


def test_the_current_folder_may_hold_the_report(csv, tmp_path, monkeypatch):
    path = csv(table())
    (tmp_path / "e").mkdir()
    monkeypatch.chdir(tmp_path / "e")
    assert run(path, ".") == 0
    assert report(tmp_path / "e")["algorithms"] == ["p"]


def test_names_of_a_file_run_nothing(tmp_path):
    """Formulas, control characters and turned writing of the review's file, in the files that people open."""
    if not CASES.is_dir():
        pytest.skip(f"the cases of the review are not on this machine: {CASES}")
    shutil.copy(CASES / "c50_injection.csv", tmp_path / "predictions.csv")
    out = tmp_path / "report"
    assert run(tmp_path / "predictions.csv", out, "--model", "m", "--id", "image", "--group", "patient") == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    assert not set(page) & {"\x07", "\x0b", "\u202e", "\u2028"}
    assert "<script" not in page
    cells = pd.read_csv(out / "metrics.csv", dtype=str).to_numpy().ravel()
    assert [c for c in cells if str(c).startswith(("=", "+", "@")) or str(c).startswith("-H")] == []


@pytest.mark.parametrize("path", sorted(CASES.glob("*.*sv*")), ids=lambda path: path.name)
def test_every_case_of_the_review_has_a_report_or_a_message(path, tmp_path, capsys):
    """Whatever the options that a first try has: exit 0 and three files, or exit 2, one line that says why, no file."""
    for options in (["--group", "patient"], ["--group", "patient", "--model", "m", "--id", "image"], ["--id", "image"]):
        code = run(path, tmp_path / "report", *options)
        caught = capsys.readouterr()
        assert code in (0, 2)
        assert (tmp_path / "report").exists() == (code == 0)
        message = caught.err.splitlines()[-1:] if code else ["audit: "]
        assert message[0].startswith("audit: ")
        shutil.rmtree(tmp_path / "report", ignore_errors=True)
