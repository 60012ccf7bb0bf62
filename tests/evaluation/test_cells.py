"""Cells keep the rules of the tidy frame."""

import pandas as pd
import pytest

from medgen_utils.evaluation import cells_by_domain, metrics_by
from tests.evaluation.examples import frame


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: pd.concat([f, f.assign(split="validation", run="v")]), "splits"),
        (lambda f: pd.concat([f, f]), "twice"),
        (lambda f: f.drop(columns="group"), "group"),
        (lambda f: f.iloc[:0], "0 rows"),
    ],
)
def test_frames_that_would_mix_images_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        metrics_by(change(frame()), n_resamples=10)


@pytest.mark.parametrize("method", ["bootstrap", "delong"])
def test_runs_are_averaged_within_each_domain(method):
    data = frame(seeds=3)
    cells = cells_by_domain(data, ["algorithm"], ["auroc", "brier"], 20, 0, method)
    assert cells.metrics == ("auroc", "brier")
    for name in ("auroc", "brier"):
        each = metrics_by(data, by=("algorithm", "run", "domain"), metrics=[name], n_resamples=10)
        expected = each.groupby(["algorithm", "domain"])["value"].mean()
        for (algorithm,), domains in cells.groups.items():
            for domain, cell in domains.items():
                found = cell.estimates[cells.metrics.index(name)].value
                assert found == pytest.approx(expected[algorithm, domain]), (name, domain)


def test_runs_in_another_order_are_refused_without_resampling():
    data = frame(domains="A", algorithms="a")
    mixed = pd.concat([data[data["seed"] == 0], data[data["seed"] == 1].sample(frac=1, random_state=0)])
    with pytest.raises(ValueError, match="one order"):
        cells_by_domain(mixed, (), ["auroc"], 0, 0, "delong")


def test_runs_on_parts_of_a_domain_are_measured_each_on_its_own():
    """The reference that learns from a part of the target: each seed is tested on another rest."""
    data = frame(domains="A", algorithms="a", seeds=2)
    rest = data[(data["index"] % 5 > 0) | (data["seed"] == 1)]
    (cell,) = cells_by_domain(rest, (), ["auroc"], 0, 0, "delong").groups[()].values()
    each = metrics_by(rest, by=("seed",), n_resamples=10)["value"]
    whole = metrics_by(data, by=(), method="delong").iloc[0]
    assert cell.estimates[0].value == pytest.approx(each.mean())
    low, high = cell.estimates[0].interval()[1:]
    assert high - low == pytest.approx(whole["high"] - whole["low"], rel=0.25)


def test_domains_and_methods_keep_the_order_of_the_rows():
    data = frame(domains="CAB", algorithms="ba")
    cells = cells_by_domain(data, ["algorithm"], ["auroc"], 0, 0, "delong")
    assert list(cells.groups) == [("b",), ("a",)]
    assert all(list(domains) == ["C", "A", "B"] for domains in cells.groups.values())
