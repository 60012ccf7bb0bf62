"""What a mechanism predicts can fail, is decided by an interval, and names methods and clinics that there are."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medgen_utils.benchmark.board import PRIMARY, Board
from medgen_utils.benchmark.entries import contender_of, problem_of
from medgen_utils.benchmark.mechanisms import GAIN, LOSS, NO_GAIN, NONE, PREDICTED, held, verdict

ALL = [(shift, kind, name) for shift, kinds in PREDICTED.items() for kind, names in kinds.items() for name in names]


def board(**gains: np.ndarray) -> Board:
    """A board of as many fresh clinics as a gain is long, at which ERM has .8 plus the luck of the clinic."""
    clinics = len(next(iter(gains.values())))
    base = 0.8 + np.random.default_rng(0).normal(0, 0.05, clinics)
    scores = {"ERM": base} | {name: base + gain for name, gain in gains.items()}
    rows = pd.DataFrame([
        {"problem": "clinic: shortcut", "method": method, "left_out": "new hospital", "domain": "new hospital",
         "site": "", "trial": 0, "seed": seed, "split": split, "auroc": value}
        for method, values in scores.items() for seed, value in enumerate(values) for split in ("test", "validation")
    ])  # fmt: skip
    return Board("clinic: shortcut", rows, pd.DataFrame({"method": list(scores)}), (), 0.01)


def test_predictions_name_methods_of_the_primary_family_and_clinics_of_the_board_once():
    assert len({(shift, name) for shift, _, name in ALL}) == len(ALL)
    for shift, kind, name in ALL:
        assert kind in (GAIN, NONE, LOSS) and name in PRIMARY
        assert problem_of(f"clinic: {shift}").seeds == 20 and contender_of(name).primary


@pytest.mark.parametrize(
    ("predicted", "low", "high", "said"),
    [
        (GAIN, 0.001, 0.1, "borne out"), (GAIN, -0.1, 0.009, "refuted"), (GAIN, -0.001, 0.02, "open"),
        (LOSS, -0.1, -0.001, "borne out"), (LOSS, -0.009, 0.1, "refuted"), (LOSS, -0.02, 0.001, "open"),
        (NONE, -0.5, -0.1, "borne out"), (NONE, -0.5, 0.009, "borne out"), (NONE, 0.001, 0.5, "refuted"),
        (NONE, -0.02, 0.02, "open"),
    ],
)  # fmt: skip
def test_an_interval_bears_out_refutes_or_leaves_open(predicted, low, high, said):
    assert verdict(predicted, low, high) == said


def test_a_prediction_that_is_none_is_named():
    with pytest.raises(ValueError, match="'help': use one of gain, loss, no gain"):
        verdict("help", 0, 0)


def test_intervals_are_over_clinics_and_hold_together():
    draw = np.random.default_rng(1)
    gains = {name: draw.normal(0.02, 0.03, 20) for name in ("V-REx", "intensity jitter")}
    table = held({"shortcut": board(**gains)}).set_index("method")
    assert list(table.index) == ["V-REx", "intensity jitter"] and set(table["units"]) == {20}
    half = stats.t.ppf(1 - 0.05 / len(ALL) / 2, 19) * stats.sem(gains["V-REx"])
    mean = gains["V-REx"].mean()
    found = table.loc["V-REx", ["value", "low", "high"]].astype(float)
    np.testing.assert_allclose(found, [mean, mean - half, mean + half])
    assert table.loc["V-REx", "predicted"] == GAIN and table.loc["intensity jitter", "predicted"] == NONE


def test_nothing_seldom_bears_out_a_gain_and_a_clear_one_always():
    """A gain of zero is borne out in fewer than one of twenty boards, one of .05 always: the verdict can fail."""
    draw, names = np.random.default_rng(2), PREDICTED["shortcut"][GAIN]
    nothing = [held({"shortcut": board(**{n: draw.normal(0, 0.02, 20) for n in names})}) for _ in range(60)]
    assert np.mean([table["verdict"].eq("borne out").any() for table in nothing]) < 0.05
    clear = held({"shortcut": board(**{n: draw.normal(0.05, 0.01, 20) for n in names})})
    assert clear["verdict"].eq("borne out").all()
    none = held({"shortcut": board(**{n: draw.normal(0, NO_GAIN / 10, 20) for n in names})})
    assert none["verdict"].eq("refuted").all()


def test_a_clinic_without_runs_is_left_out():
    empty = board(Fishr=np.zeros(3))._replace(table=pd.DataFrame())
    assert held({"shortcut": empty}).empty and held({}).empty
    assert list(held({"graders": board(Fishr=np.ones(3) / 9)})["verdict"]) == ["refuted"]
