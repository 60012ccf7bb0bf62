"""Labels and probabilities as people write them become the same numbers."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.tables import BadTable
from tests.audit.examples import changed, classes, read, table


def same(frame: pd.DataFrame, expected: pd.DataFrame) -> None:
    columns = ["domain", "group", "index", "y", "prob_0", "prob_1"]
    pd.testing.assert_frame_equal(frame[columns], expected[columns])


def message(path, **options) -> str:
    with pytest.raises(BadTable) as caught:
        read(path, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [{0: "FALSE", 1: "TRUE"}, {0: "False", 1: "true"}, {0: "0.0", 1: "1.0"}, {0: "0 ", 1: "1"}, {0: "00", 1: "01"}],
)
def test_labels_that_mean_0_and_1_are_read(csv, labels):
    expected = read(csv(table()))
    same(read(csv(table().assign(y=lambda t: t["y"].map(labels)))), expected)


@pytest.mark.parametrize(
    ("labels", "positive"), [({0: "1", 1: "2"}, "2"), ({0: "1.0", 1: "2.0"}, "2"), ({0: "benign", 1: "bad "}, "bad")]
)
def test_two_labels_are_read_once_one_is_called_positive(csv, labels, positive):
    expected = read(csv(table()))
    frame = read(csv(table().assign(y=lambda t: t["y"].map(labels))), positive=positive)
    same(frame, expected)
    assert frame.attrs["class_names"][1] == positive


def test_decimal_commas_are_read_where_no_point_stands(csv):
    expected = read(csv(table()))
    path = csv(table(), sep=";", decimal=",")
    same(read(path), expected)
    same(read(path, decimal=","), expected)


def test_what_float32_leaves_is_clipped_and_more_is_refused(csv):
    frame = read(csv(changed("p", 3, 1 + 1e-7)))
    assert frame["prob_1"].iloc[2] == 1
    assert read(csv(changed("p", 3, -1e-9)))["prob_1"].iloc[2] == 0
    with pytest.raises(BadTable, match="outside"):
        read(csv(changed("p", 3, 1 + 1e-5)))


@pytest.mark.parametrize(("k", "digits"), [(7, 2), (7, 1), (30, 2), (3, 3)])
def test_rounded_columns_may_miss_one_by_what_rounding_takes(csv, k, digits):
    data = classes(k)
    columns = [f"prob_{i}" for i in range(k)]
    rounded = data.round(dict.fromkeys(columns, digits))
    frame = read(csv(rounded), prob=["prob"])
    np.testing.assert_allclose(frame[columns].sum(axis=1), 1)
    rounded.loc[4, "prob_0"] = 1.0 if rounded.loc[4, "prob_0"] < 0.5 else 0.0
    rounded.loc[4, "prob_1"] += 0.5
    with pytest.raises(BadTable, match="row 5"):
        read(csv(rounded), prob=["prob"])


def test_hard_columns_have_no_slack(csv):
    data = classes().assign(prob_0=1, prob_1=0, prob_2=0)
    data.loc[3, "prob_1"] = 1
    with pytest.raises(BadTable, match="row 4"):
        read(csv(data), prob=["prob"])


def test_columns_called_as_the_labels_are_classes_of_one_model(csv):
    words = dict(enumerate(["mel", "nv", "bkl"]))
    expected = read(csv(classes()), prob=["prob"])
    data = classes().rename(columns={f"prob_{i}": word for i, word in words.items()})
    data["y"] = data["y"].map(words)
    frame = read(csv(data), prob=["mel", "nv", "bkl"])
    pd.testing.assert_frame_equal(frame.filter(like="prob_"), expected.filter(like="prob_"))
    assert frame["y"].tolist() == expected["y"].tolist()
    assert frame.attrs["class_names"] == ("mel", "nv", "bkl")
    stem = read(csv(data.rename(columns={word: f"p_{word}" for word in words.values()})), prob=["p"])
    assert stem.attrs["class_names"] == ("mel", "nv", "bkl")
    data["y"] = data["y"].str.upper()
    assert read(csv(data), prob=["mel", "nv", "bkl"])["y"].tolist() == expected["y"].tolist()


def test_a_class_that_never_occurs_keeps_its_column_and_name(csv):
    data = classes(names="p_{}x").assign(y=lambda t: (t["y"] % 2).map("{}x".format))
    frame = read(csv(data))
    assert frame.attrs["class_names"] == ("0x", "1x", "2x")
    assert set(frame["y"]) == {0, 1}


def test_classes_counted_from_one_in_both_places_are_read(csv):
    data = classes().rename(columns={"prob_2": "prob_3", "prob_1": "prob_2", "prob_0": "prob_1"})
    frame = read(csv(data.assign(y=data["y"] + 1)), prob=["prob"])
    assert frame["y"].tolist() == data["y"].tolist()
    assert frame.attrs["class_names"] == ("1", "2", "3")


def test_columns_from_zero_are_classes_from_zero_though_the_first_never_occurs(csv):
    data = classes()
    data["y"] = data["y"].clip(lower=1)
    frame = read(csv(data), prob=["prob"])
    assert frame["y"].tolist() == data["y"].tolist() and frame.attrs["class_names"] == ()
    data["y"] = classes()["y"]
    from_one = data.rename(columns={"prob_2": "prob_3", "prob_1": "prob_2", "prob_0": "prob_1"})
    assert "have a gap" in message(csv(from_one), prob=["prob"]), "a label 0 has no column there"


def test_of_two_class_columns_the_positive_one_is_class_1(csv):
    data = table().assign(bad=lambda t: t["p"], good=lambda t: 1 - t["p"])
    data["y"] = data["y"].map({0: "good", 1: "bad"})
    expected = read(csv(table()))
    same(read(csv(data), prob=["good", "bad"]), expected)
    same(read(csv(data), prob=["bad", "good"], positive="bad"), expected)


def test_a_label_without_a_column_is_told_which_classes_have_one(csv):
    two = message(csv(changed("y", 5, 2)))
    assert "row 5" in two and "p has the 2 classes 0 and 1, this label says '2'" in two
    assert "prob_0 to prob_2: classes 0 to 2 have columns" in message(
        csv(classes().replace({"y": {1: 5}})), prob=["prob"]
    )


@pytest.mark.parametrize(("factor", "separate"), [(1.5, True), (0.5, False)])
def test_sums_above_one_are_told_from_sums_below(csv, factor, separate):
    """Answers to separate questions sum to more than one; what sums to less is something else."""
    data = classes()
    columns = ["prob_0", "prob_1", "prob_2"]
    data[columns] = (data[columns] * factor).clip(upper=1)
    text = message(csv(data), prob=["prob"])
    assert f"prob_0 to prob_2 sum to {data[columns].iloc[0].sum():.3f}" in text
    assert ("separate yes-or-no questions" in text) == separate


def test_the_first_bad_row_is_named_and_the_others_are_counted(csv):
    data = changed("p", 7, "high")
    assert "row 7 (the header not counted): 'high'" in message(csv(data))
    data.loc[[3, 9], "p"] = "low"
    assert "row 4 (the header not counted) (3 rows in all): 'low'" in message(csv(data))


def test_every_named_model_is_read_from_a_column_or_from_one_for_each_class(csv):
    frame = read(
        csv(table().assign(r_0=lambda t: 1 - t["q"], r_1=lambda t: t["q"])), prob=["p", "r", "q"], identity="id"
    )
    assert frame["algorithm"].unique().tolist() == ["p", "r", "q"]
    r, q = (frame.loc[frame["algorithm"] == name, "prob_1"].to_numpy() for name in "rq")
    np.testing.assert_allclose(r, q)


def words_for(names: str) -> pd.DataFrame:
    """Three classes whose labels are words and whose columns are called by them in small letters."""
    return classes(names=names).assign(y=lambda t: t["y"].map("C{}".format))


SAID = {
    "columns called as the labels": (words_for("c{}"), {}, "--prob c0 --prob c1 --prob c2 (every class once)"),
    "one of the labels has no column": (words_for("c{}").drop(columns="c2"), {}, "name the column of the probability"),
    "a misspelt column": (table().rename(columns={"p": "score"}), {"prob": ["scroe"]}, "did you mean 'score'?"),
    "a positive label that never occurs": (table(), {"positive": "2"}, "'y' never holds '2', but '0' (120 rows)"),
    "labels below 0": (table().assign(y=lambda t: t["y"] - 1), {}, "-1 and 0: --positive 0 or --positive -1"),
    "labels above 1": (table().assign(y=lambda t: 9 * t["y"] + 1), {}, "labels are 1 and 10: --positive 10"),
    "nine labels": (
        table().assign(y=lambda t: "class " + (t.index % 9).astype(str)), {}, "'class 7' (26 rows) and 1 more"
    ),
    "classes from 1 to 3": (classes().assign(y=lambda t: t["y"] + 1), {"prob": ["prob"]}, "from 1 to 3, prob_0 to"),
    "percentages": (table().assign(p=lambda t: 100 * t["p"] / t["p"].max()), {}, "divide them by 100"),
    "beyond percentages": (table().assign(p=lambda t: 101 * t["p"] / t["p"].max()), {}, "not logits or percentages"),
    "one above 1": (changed("p", 4, 1.5), {}, "not logits or percentages"),
    "slightly below 0": (changed("p", 4, -0.5), {}, "not logits or percentages"),
    "logits": (changed("p", 4, -1.5), {}, "apply the sigmoid"),
    "a percent sign": (changed("p", 4, "97 %"), {}, "divide the percentages by 100 and drop the sign"),
    "a list": (changed("p", 4, "[0.1 0.9]"), {}, "a column for each class (p_0, p_1 ...)"),
    "a comma among points": (changed("p", 4, "0,5"), {}, "write one of them, or pass --decimal ,"),
    "a comma where points are told": (changed("p", 4, "0,5"), {"decimal": "."}, "pass --decimal , where commas"),
    "a point where commas are told": (table(), {"decimal": ","}, "pass --decimal . where points"),
    "a word": (changed("p", 4, "x"), {}, "give every image a probability"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_is_wrong_comes_with_its_remedy(csv, case):
    data, options, words = SAID[case]
    assert words in message(csv(data), **options)


def test_columns_called_otherwise_than_the_labels_are_models_of_their_own(csv):
    assert read(csv(table()), prob=["p", "q"], identity="id")["algorithm"].unique().tolist() == ["p", "q"]
