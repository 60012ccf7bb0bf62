"""The audit: right numbers, every name escaped, nothing loaded, bad files refused with column, row and remedy."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from medgen_utils.__main__ import main
from medgen_utils.audit import audit
from medgen_utils.audit import page as audit_page
from medgen_utils.audit.read import read_predictions
from medgen_utils.evaluation import auroc, metrics_by, paired_difference, sensitivity_at_specificity
from medgen_utils.shifts import prior_correction
from tests.audit.examples import EVIL, table


@pytest.fixture
def csv(tmp_path):
    def write(data: pd.DataFrame, **options):
        path = tmp_path / "predictions.csv"
        data.to_csv(path, index=False, **options)
        return path

    return write


def read(path, **options) -> pd.DataFrame:
    return read_predictions(path, **({"prob": ["p"], "domain": "hospital"} | options))


def run(path, tmp_path, *options: str) -> int:
    start = ["audit", str(path), "--domain", "hospital", "--out", str(tmp_path / "report"), "--resamples", "100"]
    return main([*start, *options])


# --- the numbers ------------------------------------------------------------------------------------------------------


def test_metrics_are_those_of_metrics_by(csv):
    frame = read(csv(table()), prob=["p", "q"], group="patient", identity="id")
    result = audit(frame, "home", n_resamples=200)
    expected = metrics_by(frame, metrics=("auroc", "brier"), n_resamples=200)
    both = result.metrics.merge(expected, on=["algorithm", "domain", "metric"], suffixes=("", "_expected"))
    assert len(both) == 2 * 3 * 2
    for column in ("value", "low", "high", "n"):
        np.testing.assert_allclose(both[column], both[f"{column}_expected"])


def test_paired_comparison_is_paired_difference(csv):
    frame = read(csv(table()), prob=["p", "q"], group="patient", identity="id")
    found = [f for f in audit(frame, n_resamples=200).report["findings"] if f["kind"] == "difference"]
    expected = paired_difference(frame, "p", "q", n_resamples=200)
    assert [f["domain"] for f in found] == expected["domain"].tolist()
    np.testing.assert_allclose(
        [[f[c] for c in ("value", "low", "high")] for f in found], expected[["value", "low", "high"]]
    )


def test_a_column_of_models_gives_the_same_as_a_column_for_each_model(csv):
    wide = table()
    long = pd.concat([wide.assign(model=m, prob=wide[m]) for m in ("p", "q")])
    first = audit(read(csv(wide), prob=["p", "q"], identity="id"), n_resamples=100).metrics
    second = audit(read(csv(long), prob=["prob"], model="model", identity="id"), n_resamples=100).metrics
    pd.testing.assert_frame_equal(first, second)


def test_the_reference_threshold_finds_the_asked_share_there_and_is_used_elsewhere(csv):
    data = table(600)
    rows = audit(read(csv(data)), "home", sensitivity=0.8, n_resamples=100).report["transfer"]
    home, away = (next(r for r in rows if r["domain"] == d and not r["corrected"]) for d in ("home", "away"))
    assert home["sensitivity"] == pytest.approx(0.8)
    assert home["threshold"] == away["threshold"]
    there = data[data["hospital"] == "away"]
    flagged = there["p"] >= away["threshold"]
    assert away["sensitivity"] == pytest.approx(flagged[there["y"] == 1].mean())
    assert away["predictive_value"] == pytest.approx(there.loc[flagged, "y"].mean())
    inside = data[data["hospital"] == "home"]
    best = sensitivity_at_specificity(inside["y"].to_numpy(), inside["p"].to_numpy(), specificity=home["specificity"])
    assert best >= home["sensitivity"]


def test_prior_correction_repairs_a_pure_prevalence_shift():
    rng = np.random.default_rng(0)
    parts = []
    for domain, prevalence in {"home": 0.5, "away": 0.1}.items():
        y = (rng.random(20_000) < prevalence).astype(int)
        p = 1 / (1 + np.exp(-2 * rng.normal(2 * y - 1)))
        parts.append(pd.DataFrame({"domain": domain, "y": y, "prob_0": 1 - p, "prob_1": p}))
    frame = pd.concat(parts, ignore_index=True).assign(run="r", algorithm="a")
    frame["index"], frame["group"] = np.arange(len(frame)), np.arange(len(frame)).astype(str)
    rows = {
        r["corrected"]: r for r in audit(frame, "home", n_resamples=100).report["transfer"] if r["domain"] == "away"
    }
    assert rows[False]["calibration_error"] > 0.1
    assert rows[True]["calibration_error"] < 0.02
    assert rows[True]["brier"] < rows[False]["brier"]
    assert rows[True]["net_benefit"] > rows[False]["net_benefit"]
    assert prior_correction(np.array([[0.5, 0.5]]), [0.5, 0.5], [0.9, 0.1])[0, 1] == pytest.approx(0.1)


def test_identical_domains_are_within_noise_and_a_broken_one_is_beyond():
    rng = np.random.default_rng(2)
    n = 2000
    y = np.tile([0, 1], n // 2)
    p = 1 / (1 + np.exp(-rng.normal(3 * y - 1.5)))
    parts = [
        pd.DataFrame({"domain": d, "y": y, "prob_1": s})
        for d, s in (("home", p), ("same", p), ("broken", rng.random(n)))
    ]
    frame = pd.concat(parts, ignore_index=True).assign(run="r", algorithm="a")
    frame["prob_0"] = 1 - frame["prob_1"]
    frame["index"], frame["group"] = np.arange(len(frame)), np.arange(len(frame)).astype(str)
    verdicts = {f["domain"]: f["verdict"] for f in audit(frame, "home").report["findings"] if f["kind"] == "gap"}
    assert verdicts == {"same": "within noise", "broken": "beyond noise"}


def test_two_seeds_of_a_model_are_averaged():
    frame = read_frame(runs=2)
    result = audit(frame, "home", n_resamples=100)
    each = [
        auroc(r["y"].to_numpy(), r["prob_1"].to_numpy()) for _, r in frame[frame["domain"] == "home"].groupby("run")
    ]
    found = result.metrics.query("domain == 'home' and metric == 'auroc'")
    assert found["value"].item() == pytest.approx(np.mean(each))
    assert result.report["runs"] == {"a": 2}


def read_frame(runs: int) -> pd.DataFrame:
    parts = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        for domain in ("home", "away"):
            y = np.tile([0, 1], 50)
            p = 1 / (1 + np.exp(-rng.normal(2 * y - 1)))
            columns = {"run": f"r{seed}", "algorithm": "a", "domain": domain, "index": np.arange(100), "y": y}
            columns |= {"group": [f"{domain}/{i}" for i in range(100)], "prob_0": 1 - p, "prob_1": p}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("k", [3, 6])
def test_more_than_two_classes(csv, k):
    result = audit(read(csv(table(k=k)), prob=["prob"]), "home", n_resamples=100)
    assert result.report["classes"] == k
    assert set(result.metrics["metric"]) == {"auroc", "balanced_accuracy", "accuracy", "brier", "calibration_error"}
    assert "Macro mean" in audit_page.render(result.report)


def test_a_class_that_a_domain_lacks_is_not_defined_and_not_zero(csv):
    data = table(k=3)
    data = data[(data["hospital"] != "away") | (data["y"] < 2)]
    result = audit(read(csv(data), prob=["prob"]), "home", n_resamples=100)
    row = result.metrics.query("domain == 'away' and metric == 'auroc'").iloc[0]
    assert np.isnan(row["value"])
    assert "not defined" in audit_page.render(result.report)
    assert {f["verdict"] for f in result.report["findings"] if f["domain"] == "away"} == {"undefined"}


# --- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects tags, addresses and whether every element that opens also closes."""

    void = ("meta", "br", "circle", "line", "path", "polyline")

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.loads, self.open, self.ids = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if (tag, dict(attributes)) == ("link", {"rel": "icon", "href": "data:,"}):
            return  # the empty icon, which keeps a browser from asking for one
        self.tags.add(tag)
        self.loads += [value for name, value in attributes if name in ("src", "xlink:href", "srcset", "data")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


def test_the_page_is_well_formed_loads_nothing_and_escapes_names(csv, tmp_path):
    path = csv(table())
    assert run(path, tmp_path, "--prob", "p", "--prob", "q", "--reference", "home", "--title", EVIL) == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert page.loads == []
    assert EVIL not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)" in text
    assert not re.search(r"url\(|@import", text)


def test_every_chart_says_in_words_what_it_shows(csv, tmp_path):
    assert run(csv(table()), tmp_path, "--prob", "p", "--reference", "home") == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    charts = re.findall(r"<svg([^>]*)>", text)
    assert len(charts) > 6
    assert all("aria-label" in chart or "aria-hidden" in chart for chart in charts)


def test_the_three_files_agree_and_json_holds_no_nan(csv, tmp_path):
    assert run(csv(table()), tmp_path, "--prob", "p", "--reference", "home", "--group", "patient") == 0
    folder = tmp_path / "report"
    assert {path.name for path in folder.iterdir()} == {"index.html", "report.json", "metrics.csv"}
    report = json.loads((folder / "report.json").read_text(), parse_constant=pytest.fail)
    metrics = pd.read_csv(folder / "metrics.csv")
    assert len(metrics) == len(report["metrics"])
    np.testing.assert_allclose(metrics["value"], [row["value"] for row in report["metrics"]])
    assert report["domains"][0]["known"]


def test_an_earlier_report_is_replaced_and_other_files_are_not(csv, tmp_path, capsys):
    path = csv(table())
    assert run(path, tmp_path, "--prob", "p") == 0
    assert run(path, tmp_path, "--prob", "q") == 0
    assert json.loads((tmp_path / "report" / "report.json").read_text())["algorithms"] == ["q"]
    (tmp_path / "report" / "thesis.docx").write_text("years of work")
    assert run(path, tmp_path, "--prob", "p") == 2
    assert "other files" in capsys.readouterr().err
    assert (tmp_path / "report" / "thesis.docx").read_text() == "years of work"


def test_a_failure_while_writing_leaves_the_earlier_report_whole(csv, tmp_path, monkeypatch):
    path = csv(table())
    assert run(path, tmp_path, "--prob", "p") == 0
    before = (tmp_path / "report" / "report.json").read_bytes()

    def full(*_args, **_options):
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    assert run(path, tmp_path, "--prob", "q") == 2
    assert (tmp_path / "report" / "report.json").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["predictions.csv", "report"]


def test_the_command_runs_as_a_module(csv, tmp_path):
    path = csv(table(domains=("home", "away")))
    command = [sys.executable, "-m", "medgen_utils", "audit", str(path), "--prob", "p", "--domain", "hospital"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "deep" / "report"), "--resamples", "100"], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deep" / "report" / "index.html").exists()


# --- bad frames ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="run"), "run"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.assign(prob_1=2.0), "sum to one"),
        (lambda f: f.assign(y=1), "one class"),
        (lambda f: f.assign(split=np.where(f["domain"] == "home", "validation", "test")), "splits"),
        (lambda f: pd.concat([f, f.assign(algorithm="b", run="s").iloc[2:]]), "same images"),
    ],
)
def test_frames_that_cannot_be_judged_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        audit(change(read_frame(runs=1)), n_resamples=100)
