"""The command on a tiny clinic as a folder: what it reads, what it says, and that it goes on where it was stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medgen_utils.__main__ import main, parser
from medgen_utils.audit.comparison import command
from medgen_utils.benchmark import comparison
from medgen_utils.benchmark.comparison import SHORT_LIST
from tests.audit.comparison.examples import small_clinic

COLUMNS = [
    "--file",
    "image",
    "--label",
    "dx",
    "--domain",
    "site",
    "--group",
    "patient",
    "--classes",
    "benign,malignant",
]
SMALL = ["--size", "16", "--width", "4", "--steps", "3", "--seeds", "1", "--min-patients", "5", "--jobs", "1"]
TWO = ["--methods", "ERM", "reference: target included"]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Path:
    """Images and labels.csv with the column names of somebody else."""
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "images").mkdir()
    dataset = small_clinic(n=40)
    rows = []
    for i, image in enumerate(dataset.x):
        Image.fromarray((image[0].numpy() * 255).round().astype(np.uint8)).save(folder / "images" / f"{i}.png")
        names = dataset.class_names[dataset.y[i]], dataset.domain_names[dataset.domain[i]]
        rows.append([f"{i}.png", *names, dataset.group[i]])
    columns = ["image", "dx", "site", "patient"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "labels.csv", index=False)
    return folder


def words(clinic: Path, out: Path, *options: str, table: Path | None = None) -> list[str]:
    start = ["compare", str(clinic / "images"), str(table or clinic / "labels.csv")]
    return [*start, "--out", str(out), *COLUMNS, *SMALL, *options]


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def scores(folder: Path) -> dict:
    return {(row["method"], row["domain"]): row["value"] for row in report(folder)["by_domain"]}


def test_a_folder_becomes_a_report(clinic, tmp_path, capsys):
    assert main(words(clinic, tmp_path, "--seeds", "2", "--steps", "2")) == 0
    caught = capsys.readouterr()
    assert caught.out == f"Report: {(tmp_path / 'index.html').resolve()}\n"
    assert (
        "48 runs: 6 methods x 4 of 4 domains x 2 seeds\n" in caught.err and "for 48 runs, 1 side by side" in caught.err
    )
    made = report(tmp_path)
    assert [row["method"] for row in made["methods"]] == list(SHORT_LIST)
    assert made["classes"] == ["benign", "malignant"] and made["training"]["steps"] == [2]
    assert all(row["rise"] is not None for row in made["methods"])


def test_settings_reach_the_training(clinic, tmp_path, monkeypatch):
    seen = []
    train = comparison.run_contender
    monkeypatch.setattr(comparison, "run_contender", lambda *a, **k: seen.append((a, k)) or train(*a, **k))
    options = ["--target", "hospital A", "--trials", "2", "--augment", "none", "--methods", "CORAL", "--size", "20"]
    assert main(words(clinic, tmp_path, *options)) == 0
    arguments, settings = seen[-1]
    assert arguments[0].name == "CORAL" and arguments[2] == "hospital A" and arguments[1].x.shape[-1] == 20
    assert (settings["steps"], settings["augment"], settings["width"], settings["validation_share"]) == (
        3,
        None,
        4,
        0.2,
    )
    assert report(tmp_path)["tested"] == ["hospital A"] and report(tmp_path)["training"]["trials"] == 2


def test_a_first_look_is_fast_unless_told(monkeypatch, clinic, tmp_path):
    plans = []
    monkeypatch.setattr(
        command, "Comparison", lambda *a, **k: plans.append(a) or (_ for _ in ()).throw(ValueError("x"))
    )
    start = ["compare", str(clinic / "images"), str(clinic / "labels.csv"), *COLUMNS, "--out", str(tmp_path / "r")]
    for options in ([], ["--fast"], ["--fast", "--steps", "7"]):
        assert main([*start, *options]) == 2
    assert [(len(plan[3]), plan[5]) for plan in plans] == [(3, 1000), (1, 100), (1, 7)]


def test_a_command_killed_at_a_random_moment_and_started_again_gives_the_undisturbed_report(
    clinic, tmp_path, monkeypatch, capsys
):
    options = ["--seeds", "2", *TWO]
    moment = int(np.random.default_rng().integers(1, 12))  # a new one at each run of the test
    process = subprocess.Popen(
        [sys.executable, "-m", "medgen_utils", *words(clinic, tmp_path / "killed", *options)],
        start_new_session=True, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if len(list((tmp_path / "killed" / "runs").glob("*.npz"))) >= moment:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = len(list((tmp_path / "killed" / "runs").glob("*.npz")))
    assert 0 < finished < 16 and not (tmp_path / "killed" / "index.html").exists(), "not in the middle"
    saved = []
    save = comparison.save_run
    monkeypatch.setattr(comparison, "save_run", lambda *a: saved.append(a) or save(*a))
    assert main(words(clinic, tmp_path / "killed", *options)) == 0
    assert f"; {finished} are finished, in " in capsys.readouterr().err
    assert len(saved) == 16 - finished
    assert main(words(clinic, tmp_path / "undisturbed", *options)) == 0
    assert scores(tmp_path / "killed") == scores(tmp_path / "undisturbed")


BAD = {
    "a missing folder": (["images"], lambda t: t, "is not a folder"),
    "one domain": ([], lambda t: t.assign(site="here"), "one domain 'here'"),
    "one class in a domain": (
        [], lambda t: t[(t["site"] != "hospital B") | (t["dx"] == "benign")], "'hospital B' has the one class 'benign'"
    ),
    "a column that is called otherwise": ([], lambda t: t.rename(columns={"dx": "label"}), "column 'dx' is missing"),
    "a picture that is not there": ([], lambda t: t.replace("3.png", "3333.png"), "1 image not in"),
    "too few patients everywhere": (["--min-patients", "400"], lambda t: t, "no domain can be tested"),
    "an unknown domain": (["--target", "hospital a"], lambda t: t, "did you mean 'hospital A'"),
    "an unknown method": (["--methods", "ERM", "corall"], lambda t: t, "did you mean 'CORAL'"),
    "a method that needs colour": (["--methods", "grey-scale"], lambda t: t, "'grey-scale' needs colour"),
    "no seed": (["--seeds", "0"], lambda t: t, "--seeds 0: give 1 or more"),
    "images too small": (["--size", "4"], lambda t: t, "--size 4"),
    "another encoding": (["--encoding", "utf-16"], lambda t: t, "utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_anything_is_trained(clinic, tmp_path, capsys, case):
    options, change, message = BAD[case]
    change(pd.read_csv(clinic / "labels.csv")).to_csv(tmp_path / "labels.csv", index=False)
    given = words(clinic, tmp_path / "report", *options, table=tmp_path / "labels.csv")
    if options == ["images"]:
        given = [word.replace("/images", "/elsewhere") for word in given if word != "images"]
    assert main(given) == 2
    caught = capsys.readouterr()
    assert message in caught.err and caught.err.splitlines()[-1].startswith("compare: ") and caught.out == ""
    assert not (tmp_path / "report").exists()


def test_a_folder_of_something_else_is_left_alone(clinic, tmp_path, capsys):
    (tmp_path / "thesis.docx").write_text("years of work")
    assert main(words(clinic, tmp_path)) == 2
    assert "thesis.docx" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_domain_of_few_patients_trains_and_is_not_tested(clinic, tmp_path, capsys):
    table = pd.read_csv(clinic / "labels.csv")
    few = table["site"] != "hospital B"
    few |= table.groupby(["site", "dx"]).cumcount() < 3
    table[few].to_csv(tmp_path / "labels.csv", index=False)
    out = tmp_path / "report"
    assert main(words(clinic, out, "--methods", "ERM", table=tmp_path / "labels.csv")) == 0
    assert "3 of 4 domains" in capsys.readouterr().err
    assert "hospital B" not in report(out)["tested"]
    assert "<b>hospital B</b> trains and is not tested: too few patients" in (out / "index.html").read_text()


def test_what_may_be_a_mistake_is_on_stderr_and_on_the_page(clinic, tmp_path, capsys):
    pd.read_csv(clinic / "labels.csv").assign(patient="unknown").to_csv(tmp_path / "labels.csv", index=False)
    out = tmp_path / "report"
    options = ["--methods", "ERM", "--target", "hospital A"]
    assert main(words(clinic, out, *options, table=tmp_path / "labels.csv")) == 0
    assert "compare: note: " in capsys.readouterr().err
    assert any("several domains" in notice for notice in report(out)["notices"])


def test_every_option_has_a_help_and_a_default_where_one_is_named():
    options = vars(parser().parse_args(["compare", "images", "labels.csv", "--out", "o"]))
    assert all(text for _, _, text in command.OPTIONS)
    assert {"methods", "steps", "seeds", "trials", "fast", "min_patients", "target"} <= set(options)
