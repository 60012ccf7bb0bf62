"""Streams are quiet where nothing changes, and labels are read only by the monitor that may."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from medgen_utils import monitoring
from medgen_utils.deployment import scanner, streams
from medgen_utils.hospital import Hospital

HOME = Hospital("home")
DESIGN = streams.Design(reference=103, month=20)


@functools.cache
def watched() -> streams.Watched:
    return streams.Watched(scanner.train_elsewhere(0, 120), HOME, n_quiet=900)


def test_distances_are_those_of_the_months_drawn():
    quiet = np.arange(1000) / 1000
    later = [np.full(50, 2.0), np.linspace(0, 1, 50)]
    found = DESIGN.distances(quiet, later, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    stream = rng.permutation(quiet)
    last = [rng.choice(pool, 20, replace=False) for pool in later]
    reference, first = stream[:103], stream[103 : 103 + 22 * 20].reshape(22, 20)
    np.testing.assert_allclose(found, monitoring.monthly_distances(reference, np.concatenate([first, last])))
    assert found[22] == found.max()


def test_thresholds_keep_the_rate_and_the_naive_rule_does_not():
    thresholds = DESIGN.thresholds(400)
    rates = streams.alarm_rates(np.random.default_rng(0).random(2000), DESIGN, thresholds, 300).set_index("rule")
    assert rates.loc[streams.NAIVE, "low"] > 0.3
    for chart in streams.CHARTS:
        assert rates.loc[chart, "low"] <= 0.06 and rates.loc[chart, "value"] > 0
    first = [DESIGN.distances(np.random.default_rng(0).random(2000), (), np.random.default_rng([7, k])).max()
             for k in range(300)]  # fmt: skip
    assert rates.loc["each month alone", "value"] == np.mean(np.array(first) > thresholds["each month alone"])


def test_what_is_given_is_the_probability_of_the_recorded_label():
    np.testing.assert_allclose(streams.given(np.array([0.9, 0.9, 0.2]), np.array([1, 0, 0])), [0.9, 0.1, 0.8])


def test_outputs_do_not_see_graders_and_a_graded_sample_does():
    changes = {"none": [HOME] * 12, "graders": [replace(HOME, label_flips=0.5)] * 12}
    table = streams.watch(watched(), changes, DESIGN, n_streams=30, graded=20)
    last = table[table["month"] == 12].set_index(["change", "monitor"])
    assert table.groupby(["change", "monitor"])["value"].apply(lambda s: s.is_monotonic_increasing).all()
    for chart in streams.CHARTS:
        assert last.loc[("none", chart), "value"] == last.loc[("graders", chart), "value"]
    assert last.loc[("graders", streams.GRADED), "value"] > last.loc[("none", streams.GRADED), "value"] + 0.5
    assert last.loc[("graders", streams.GRADED), "delay"] < 12 and last.loc[("none", streams.GRADED), "delay"] == np.inf
    fewer = streams.watch(watched(), {"graders": changes["graders"]}, DESIGN, n_streams=30, graded=3)
    fewer = fewer[fewer["month"] == 12].set_index("monitor")["value"]
    assert fewer[streams.GRADED] < last.loc[("graders", streams.GRADED), "value"]
    assert last.loc[("graders", streams.GRADED), "harm"] < -0.1 and last["left_out"].between(0, 0.4).all()


def test_a_new_scanner_is_seen_after_the_change_and_not_before():
    thresholds = DESIGN.thresholds(200)
    harm, alarm = watched().seen_by(replace(HOME, gain=0.3), DESIGN, thresholds)
    assert harm < 0 and alarm > DESIGN.change
    distances, score = watched().two_years(replace(HOME, gain=0.3), DESIGN)
    assert distances.shape == (24,) and distances[12:].min() > distances[:12].mean()
    y = watched().quiet[1]
    assert score - harm == pytest.approx(float(streams.auroc(y, watched().quiet[0])))


def test_a_change_comes_at_once_or_month_by_month():
    assert [h.gain for h in streams.suddenly(HOME, 3, gain=0.7)] == [0.7] * 3
    assert [h.gain for h in streams.slowly(HOME, 4, gain=0.6)] == pytest.approx([0.9, 0.8, 0.7, 0.6])


def test_harm_is_measured_against_the_recorded_labels():
    harm, _ = watched().seen_by(replace(HOME, label_flips=0.5), DESIGN, DESIGN.thresholds(200))
    assert harm < -0.2


def test_the_diagnosis_reads_no_label_of_the_new_months():
    """With labels a change of graders would be a concept shift."""
    quiet, flipped = (watched().diagnose(replace(HOME, label_flips=flips), n=120) for flips in (0.0, 0.5))
    assert quiet.verdict == flipped.verdict and quiet.verdict != "concept shift"
