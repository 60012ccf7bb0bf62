"""The checks of chapter evaluation_protocols take any right answer, and see what only looks like a split."""

import numpy as np

from medgen_utils.exercises import check


def test_seeds_may_be_counted_up():
    def counted(sd, margin):
        k = 1
        while 1.96 * sd * (2 / k) ** 0.5 >= margin:
            k += 1
        return k

    assert check("evaluation.1", counted).passed
    assert "put it into the formula" in check("evaluation.1", lambda sd, margin: 30, hint=0).text
    assert "whole number" in check("evaluation.1", lambda sd, margin: 2 * (1.96 * sd / margin) ** 2, hint=0).text


def by_a_loop(patient, share, seed):
    random = np.random.default_rng(seed)
    names = sorted(set(patient))
    drawn = {name for name in names if random.random() < share}
    return [name in drawn for name in patient]


def test_patients_may_be_drawn_one_by_one():
    assert check("evaluation.2", by_a_loop).passed


def test_a_draw_that_does_not_repeat_is_told():
    fresh = np.random.default_rng(1)
    said = check("evaluation.2", lambda patient, share, seed: by_a_loop(patient, share, fresh), hint=0).text
    assert "The same seed gives another split" in said


def searched(chance, budget, hospital_cost):
    plans = [(h, n) for h in range(2, budget // (hospital_cost + 10) + 1) for n in range(10, budget // h + 1)]
    return max(
        (plan for plan in plans if plan[0] * (plan[1] + hospital_cost) <= budget), key=lambda plan: chance(*plan)
    )


def test_a_budget_may_be_spent_by_trying_every_plan():
    assert check("evaluation.3", searched).passed
    assert "beyond the budget" in check("evaluation.3", lambda chance, budget, cost: (20, 1000), hint=0).text
    wasteful = lambda *a: (searched(*a)[0], searched(*a)[1] - 1)  # noqa: E731
    assert "some of the budget is left" in check("evaluation.3", wasteful, hint=0).text
    assert "cannot be carried out" in check("evaluation.3", lambda *a: (1, 500), hint=0).text
