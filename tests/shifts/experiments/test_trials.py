"""False alarms and power are counted over independent pairs, as the chapter says."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medgen_utils.clinic import Hospital
from medgen_utils.shifts import Outputs, ShiftTest
from medgen_utils.shifts.experiments import TESTS, alarm_rates, every_test, home_model, in_words, power, shares
from medgen_utils.shifts.experiments.trials import disjoint_pairs


def outputs(n: int, shift: float = 0.0, seed: int = 0) -> Outputs:
    """Invented outputs: one score that moves with the pixels."""
    random = np.random.default_rng(seed)
    pixels = random.normal(shift, 1, (n, 6))
    score = 1 / (1 + np.exp(-pixels[:, 0]))
    return Outputs(pixels[:, :3], np.stack([1 - score, score], axis=1), (score > 0.5).astype(int), pixels)


def test_every_test_sees_a_large_shift_and_has_its_name():
    found = every_test(outputs(60), outputs(63, 3, seed=1), seed=0)
    assert tuple(found) == TESTS
    assert all(test.p_value < 0.01 for test in found.values())


def test_tests_on_pixels_need_pixels():
    with pytest.raises(ValueError, match="outputs_of"):
        every_test(outputs(20), outputs(20)._replace(pixels=None), seed=0)


def test_pairs_share_no_image_and_use_both_samples_up():
    source, target = outputs(80), outputs(100, seed=1)
    pairs = disjoint_pairs(source, target, 4)
    for side, whole, n in ((0, source, 20), (1, target, 25)):
        parts = [pair[side].pixels for pair in pairs]
        assert [len(part) for part in parts] == [n] * 4
        np.testing.assert_array_equal(np.concatenate(parts), whole.pixels)


def test_too_many_pairs_are_refused():
    with pytest.raises(ValueError, match="20 pairs leave 4 and 5 images"):
        disjoint_pairs(outputs(80), outputs(100), 20)


def test_alarms_without_a_shift_are_rare_and_with_one_frequent():
    home = outputs(30 * 20)
    null = alarm_rates(home, outputs(33 * 20, seed=1), 20).set_index("test")
    power = alarm_rates(home, outputs(33 * 20, 2, seed=1), 20).set_index("test")
    assert list(null.index) == list(TESTS)
    assert (null["value"] <= 0.25).all()
    assert (power["value"] >= 0.9).all()
    assert ((power["low"] <= power["value"]) & (power["value"] <= power["high"])).all()


def test_shares_are_counted_by_key_with_the_interval_of_wilson():
    frame = pd.DataFrame({"scanner": ["A"] * 10 + ["B"] * 5, "alarm": [True] * 2 + [False] * 8 + [True] * 5})
    table = shares(frame, ["scanner"]).set_index("scanner")
    low, high = stats.binomtest(2, 10).proportion_ci(method="wilson")
    assert table.loc["A", ["value", "low", "high", "pairs"]].tolist() == pytest.approx([0.2, low, high, 10])
    assert table.loc["B", "value"] == table.loc["B", "high"] == 1


def test_power_has_a_row_a_size_and_test_and_grows_with_the_shift():
    home = Hospital("home")
    frame = power(home_model(home, 0, 3, n=60), home, {"gain": (1.0, 0.6)}, pairs=4, n=30)
    assert len(frame) == 2 * len(TESTS) and set(frame["parameter"]) == {"gain"}
    pixels = frame[frame["test"] == "MMD, pixels"].set_index("size")["value"]
    assert pixels[0.6] == 1 and pixels[1.0] < 0.8


def test_words_say_where_a_test_alarms():
    tests = {"dark": {"MMD": ShiftTest(1, 0.002)}, "rare": {"MMD": ShiftTest(0, 0.4)}}
    assert in_words(tests, "MMD") == "dark: it **alarms** (p < 0.01); rare: it is **silent** (p = 0.40)."
