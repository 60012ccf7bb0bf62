"""The report of a comparison says what its numbers allow, and its page is whole, escaped and in words."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.audit.comparison.report import RUNS, large_enough, report_comparison
from medgen_utils.benchmark.result import FEW
from tests.audit.comparison.examples import METHODS, compared, small_clinic
from tests.audit.examples import EVIL, Page


@pytest.fixture(scope="module")
def dataset():
    return small_clinic()


def methods(report) -> dict:
    return {row["method"]: row for row in report.report["methods"]}


def page(report, folder) -> str:
    return report.write(folder).read_text(encoding="utf-8")


def test_every_method_stands_at_every_target_beside_its_in_domain_score(dataset, tmp_path):
    report = report_comparison(compared(dataset), dataset)
    assert {(row["method"], row["domain"]) for row in report.report["by_domain"]} == {
        (name, domain) for name in METHODS for domain in dataset.domain_names
    }
    assert all(
        row["low"] < row["value"] < row["high"] and 0.5 < row["inside"] < 1 for row in report.report["by_domain"]
    )
    assert methods(report)["ERM"]["difference"] is None and methods(report)["ERM"]["verdict"] is None
    assert methods(report)["reference: target included"]["verdict"] == "reference"
    text = page(report, tmp_path)
    assert all(f"{domain} left out" in text for domain in dataset.domain_names)
    assert "labels of that domain would bring" in text


def test_a_chart_has_a_point_for_each_score_that_there_is(dataset, tmp_path):
    result = compared(dataset, targets=["hospital A"])
    part = replace(result, inside=result.inside[result.inside["algorithm"] != "remedy"])
    for shown, in_domain in ((result, 3), (part, 2)):
        text = page(report_comparison(shown, dataset), tmp_path / str(in_domain))
        chart = text[text.index("hospital A left out") : text.index("Who is in each domain")]
        colours = re.findall(r'<circle[^>]*fill="var\(--m(\d)\)"', chart)
        assert (colours.count("0"), colours.count("1")) == (len(METHODS), in_domain)


def test_noise_is_called_noise_and_an_effect_is_not(dataset):
    verdicts = [methods(report_comparison(compared(dataset, gain, 5), dataset))["remedy"]["verdict"] for gain in (0, 3)]
    assert verdicts == ["within noise", "beyond noise"]


def crowd(dataset, gain: float, others: int, *more: str):
    """The remedy among others that are as ERM is."""
    result = compared(dataset, gain, 5, targets=dataset.domain_names[:2])
    erm = result.frame[result.frame["algorithm"] == "ERM"]
    names = [f"other {i}" for i in range(others)]
    frame = pd.concat([result.frame, *(erm.assign(algorithm=n, run=n + erm["run"]) for n in names)])
    return replace(result, frame=frame.reset_index(drop=True), methods=("ERM", "remedy", *names, *more))


def test_the_page_says_how_many_comparisons_count(dataset, tmp_path):
    text = page(report_comparison(crowd(dataset, 0, 2, METHODS[2]), dataset), tmp_path)
    assert "with all 3 comparisons counted" in text, "neither the baseline nor the reference is one"


def test_all_comparisons_count(dataset):
    """What is barely clear when looked at alone is uncertain among many methods."""

    def among(gain: float, others: int) -> str:
        return methods(report_comparison(crowd(dataset, gain, others), dataset))["remedy"]["verdict"]

    least = next(gain for gain in np.arange(0.2, 3, 0.2) if among(gain, 0) == "beyond noise") - 0.2
    gain = next(gain for gain in np.arange(least, 3, 0.02) if among(gain, 0) == "beyond noise")
    assert among(gain, 8) == "uncertain"


def test_the_page_says_how_many_domains_there_are_and_what_they_cannot_say(dataset, tmp_path):
    text = page(report_comparison(compared(dataset), dataset), tmp_path)
    assert "4 domains say what 4 points say" in text and "12.5 %" in text
    assert "They stand in" not in text and "<b>4</b><span>sites</span>" in text  # drawn hospitals are named so
    unknown = small_clinic(sites={})
    text = page(report_comparison(compared(unknown), unknown), tmp_path)
    assert "the table does not say" in text and "sites</span>" not in text
    shared = small_clinic(sites=dict.fromkeys(unknown.domain_names[:3], "Utrecht") | {unknown.domain_names[3]: "Rio"})
    assert "They stand in 2 sites: where one is left out" in page(report_comparison(compared(shared), shared), tmp_path)


def test_one_target_is_not_written_as_many(dataset, tmp_path):
    text = page(report_comparison(compared(dataset, targets=["hospital A"]), dataset), tmp_path)
    assert "1 domain was left out of the training once" in text and "1 domain says what 1 point says" in text
    assert "<b>hospital B</b> trains and is not tested." in text


def test_few_domains_are_points_and_many_get_students_interval(dataset, tmp_path):
    many = replace(
        dataset, domain=torch.arange(len(dataset)) // 30, domain_names=tuple(f"D{i}" for i in range(8)), domains=None
    )
    few = report_comparison(compared(dataset), dataset)
    assert few.report["methods"][1]["interval"] == "over patients and seeds"
    assert len(dataset.domain_names) <= FEW < len(many.domain_names)
    report = report_comparison(compared(many), many)
    assert report.report["methods"][1]["interval"] == "over 8 domains"
    assert "A point for each domain" in page(few, tmp_path) and "Student’s t" not in page(few, tmp_path)
    assert "Mean over 8 domains with Student’s t interval" in page(report, tmp_path)


def test_a_training_that_had_not_ended_is_named(dataset, tmp_path):
    rising = report_comparison(compared(dataset, rises={"ERM": 0.04, "remedy": 0.001}), dataset)
    ended = report_comparison(compared(dataset, rises=dict.fromkeys(METHODS, 0.001)), dataset)
    assert "still rose by 0.040 (ERM)" in page(rising, tmp_path) and "had stopped" not in page(rising, tmp_path)
    assert "had stopped rising for every method" in page(ended, tmp_path)


def test_domains_of_few_patients_are_marked_and_not_chosen(dataset, tmp_path):
    few = dataset.subset(np.r_[0:180, 180:186])
    names = large_enough(few, few.domain_names, 10)
    assert names == few.domain_names[:3]
    text = page(report_comparison(compared(few, targets=names), few), tmp_path)
    assert "<b>new hospital</b> trains and is not tested: too few" in text
    assert "read its interval, not its value" in page(report_comparison(compared(few), few), tmp_path)
    with pytest.raises(ValueError, match=r"no domain can be tested \(hospital A: too few patients.*--target"):
        large_enough(few, few.domain_names, 500)


def test_the_page_is_well_formed_loads_nothing_and_escapes_names(dataset, tmp_path):
    names = (*dataset.domain_names[:3], EVIL)
    evil = replace(dataset, domain_names=names, class_names=("benign", EVIL), domains=None)
    text = page(report_comparison(compared(evil), evil, title=EVIL, notices=[EVIL], settings={"size": EVIL}), tmp_path)
    found = Page(text)
    assert found.open == [] and found.loads == []
    assert not found.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert EVIL not in text and "&lt;script&gt;" in text
    charts = re.findall(r"<svg([^>]*)>", text)
    assert len(charts) > 10 and all("aria-label" in chart or "aria-hidden" in chart for chart in charts)


def test_the_three_files_agree_and_json_holds_no_nan(dataset, tmp_path):
    report = report_comparison(compared(dataset), dataset)
    (tmp_path / RUNS).mkdir()
    report.write(tmp_path)
    report.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "report.json", "metrics.csv", RUNS}
    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert metrics["value"].to_numpy() == pytest.approx([row["value"] for row in read["by_domain"]])
    assert metrics.loc[metrics["method"] == "ERM", "difference"].isna().all()
    assert metrics["difference"].dropna().to_numpy() == pytest.approx([row["value"] for row in read["differences"]])


def test_stored_scores_make_no_report(dataset):
    stored = compared(dataset).frame.groupby(["algorithm", "domain", "seed"])["prob_1"].mean().rename("auroc")
    stored = stored.reset_index().rename(columns={"algorithm": "method"})
    with pytest.raises(ValueError, match="no predictions"):
        report_comparison(replace(compared(dataset), frame=stored, inside=None), dataset)
