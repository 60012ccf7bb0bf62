"""The figures of the chapter on graders show the numbers they are given where these belong."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.figures import concept_shift as figures


def test_cells_stand_in_the_row_of_their_votes_and_the_last_is_shown_twice():
    n_atypical = np.repeat([0, 1, 2, 3], 6)
    sharp = torch.arange(24)[:, None, None, None] / 24 * torch.ones(24, 3, 8, 8)
    figure = figures.cells_by_votes(sharp, sharp[:, :, :4, :4], n_atypical, columns=3)
    rows = np.array(figure.axes).reshape(4, 4)
    assert [row[0].get_ylabel() for row in rows] == ["none", "1 of 3", "2 of 3", "all 3"]
    for votes, row in enumerate(rows):
        shown = [round(float(axis.images[0].get_array().max()) * 24) for axis in row]
        assert all(n_atypical[i] == votes for i in shown) and shown[-1] == shown[-2]
        assert row[-1].images[0].get_array().shape[0] == 4


def test_both_parts_of_a_disagreement_make_one_bar():
    measures = {"kappa": 0.5, "moved": 0.1, "crossed": 0.04}
    pairs = pd.DataFrame(
        [
            [data, "1 and 2", name, value, value - 0.01, value + 0.02]
            for data in "AB"
            for name, value in measures.items()
        ],
        columns=["data", "pair", "measure", "value", "low", "high"],
    )
    axis = figures.parts_of_disagreement(pairs, ["A", "B"])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["A: 1 and 2", "B: 1 and 2"]
    crossed, moved = (container.patches[0] for container in axis.containers[:2])
    assert (crossed.get_width(), moved.get_x(), moved.get_width()) == pytest.approx((0.04, 0.04, 0.1))


def test_observed_and_predicted_shares_are_marks_at_their_number_of_votes():
    axis = figures.observed_and_predicted(np.array([0.7, 0.2, 0.1]), np.array([0.6, 0.3, 0.1]))
    assert axis.lines[0].get_ydata().tolist() == [0.7, 0.2, 0.1]
    assert axis.lines[1].get_ydata().tolist() == [0.6, 0.3, 0.1]
    assert "of 2" in axis.get_xlabel()


def test_an_expert_hangs_from_the_line_of_the_panels():
    marks = {"expert 1": (0.15, 0.8), "any": (0.3, 0.7), "most": (0.2, 0.8), "all": (0.1, 0.9)}
    table = pd.DataFrame(
        [[judge, seed, *mark] for judge, mark in marks.items() for seed in (0, 1)],
        columns=["judge", "seed", "share", "value"],
    )
    axis = figures.strictness(table, ["any", "most", "all"])
    assert axis.lines[0].get_xdata().tolist() == [0.1, 0.2, 0.3]
    (drop,) = axis.collections
    np.testing.assert_allclose(drop.get_segments()[0], [[0.15, 0.8], [0.15, 0.85]])
    assert {text.get_text() for text in axis.texts} == set(marks)


def test_a_pupil_stands_beside_the_line_of_every_expert():
    rows = [
        [teacher, judge, seed, y, p]
        for teacher, p in (("a", 0.2), ("b", 0.4))
        for judge, labels in (("a", (0, 0, 0, 1)), ("b", (0, 0, 1, 1)))
        for seed in (0, 1)
        for y in labels
    ]
    frame = pd.DataFrame(rows, columns=["teacher", "domain", "seed", "y", "prob_1"])
    axis = figures.taught_lines(frame, ["a", "b"])
    lines = [line for line in axis.lines if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1]
    assert {line.get_xdata()[0] for line in lines if line.get_linestyle() == "--"} == {0.25, 0.5}
    pupils = [line.get_xdata().tolist() for line in axis.lines if line.get_linestyle() == "None"]
    assert pupils == [pytest.approx([0.2, 0.2]), pytest.approx([0.4, 0.4])]


def test_two_graders_agree_less_than_a_perfect_model_does_with_one():
    model, grader = (line.get_ydata() for line in figures.ceiling().lines)
    assert (model[1:-1] > grader[1:-1]).all() and model[0] == grader[0] == 0.5 and model[-1] == grader[-1] == 1


def test_spoiled_labels_pull_the_curve_and_not_the_score():
    y, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    axis = figures.recorded_roc(y, np.array([0, 1, 1, 1]), score).axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [
        "truth: AUROC 1.00",
        "recorded labels: AUROC 1.00",
    ]
    assert axis.get_title(loc="left") == "25% of the labels wrong"
