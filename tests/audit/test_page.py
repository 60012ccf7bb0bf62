"""The page: well formed, nothing loaded, every name escaped, charts in words, and small however many domains."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from medgen_utils.__main__ import main
from medgen_utils.audit import audit
from medgen_utils.audit.page import render
from tests.audit.examples import EVIL, Page, table


def run(path, tmp_path, *options: str) -> int:
    start = ["audit", str(path), "--domain", "hospital", "--out", str(tmp_path / "report"), "--resamples", "100"]
    return main([*start, *options])


def test_the_page_is_well_formed_loads_nothing_and_escapes_names(csv, tmp_path):
    path = csv(table())
    assert run(path, tmp_path, "--prob", "p", "--prob", "q", "--reference", "home", "--title", EVIL) == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert page.loads == []
    assert EVIL not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)" in text
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


def test_beside_a_chart_stands_a_number_and_why_it_is_not_judged_is_in_words(csv, tmp_path):
    few = table(domains=("home", "away")).iloc[: 120 + 4]
    assert run(csv(few), tmp_path, "--prob", "p", "--reference", "home", "--group", "id") == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "too few patients to judge" in "".join(re.findall(r'aria-label="away: AUROC lost[^"]*"', text))
    numbers = re.findall(r'<div class="number">(.*?)</div>', text)
    assert numbers and all(re.fullmatch(r"[\u2212\d.]+ \([\u2212\d.]+ to [\u2212\d.]+\)", one) for one in numbers)


def test_a_page_of_very_many_domains_stays_small_and_lists_them_all():
    n = 1500
    rng = np.random.default_rng(0)
    domain = np.repeat([f"hospital {i}" for i in range(n)], 24)
    y = np.tile([0, 1], 12 * n)
    p = 1 / (1 + np.exp(-rng.normal(2 * y - 1)))
    columns = {"run": "m", "algorithm": "m", "domain": domain, "index": np.arange(len(y)), "y": y}
    columns |= {"group": np.arange(len(y)).astype(str), "prob_0": 1 - p, "prob_1": p}
    page = render(audit(pd.DataFrame(columns), "hospital 0", n_resamples=100).report)
    assert len(page) < 2_000_000
    assert page.count('<div class="row">') < 200
    names = set(re.findall(r"hospital \d+", page))
    assert len(names) == n
    assert page.count("<details>") >= 14
