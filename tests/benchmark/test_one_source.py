"""One source trains, every domain is tested on the same new patients, and a gap is home minus away."""

import numpy as np
import pytest

from medgen_utils.benchmark import together, train_at_home, train_on_each
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.domains import split
from medgen_utils.evaluation import metrics_by
from medgen_utils.training import ERM, build, fit, flips
from tests.benchmark.small import small_clinic

OPTIONS = {"seeds": (0, 1), "steps": 3, "width": 4, "n_jobs": 1}


@pytest.fixture(scope="module")
def clinic():
    return small_clinic(0)


@pytest.fixture(scope="module")
def each(clinic):
    return train_on_each(clinic, **OPTIONS)


def test_a_cell_of_the_matrix_is_the_run_by_hand(clinic, each):
    train, _, _ = split(clinic.only("hospital B"), 1, (0.7, 0.0, 0.3))
    model = build(ERM, train, seed=1, width=4)
    fit(model, train, steps=3, augment=flips, seed=1, **CONTENDERS[0].settings(0))
    mine = each.frame.query("algorithm == 'hospital B' and seed == 1 and domain == 'hospital C'")
    _, _, test = split(clinic.only("hospital C"), 1, (0.7, 0.0, 0.3))
    assert mine["index"].tolist() == test.index.tolist()
    assert not set(train.group[train.group != ""]) & set(test.group)
    np.testing.assert_allclose(mine["prob_1"], model.eval().predict(test.x).double().softmax(1)[:, 1].detach())


def test_every_domain_trains_and_is_tested_on_the_same_images_whatever_trained(clinic, each):
    assert list(each.homes.items()) == [(name, name) for name in clinic.domain_names]
    assert len(each.matrix()) == len(clinic.domain_names) ** 2
    tested = each.frame.groupby(["algorithm", "seed"])["index"].apply(frozenset)
    assert tested.groupby("seed").nunique().tolist() == [1, 1]


def test_a_gap_is_home_minus_away(each):
    value = metrics_by(each.frame).set_index(["algorithm", "domain"])["value"]
    for row in each.gaps().itertuples():
        assert row.value == pytest.approx(value[row.algorithm, row.algorithm] - value[row.algorithm, row.domain])
        assert row.low <= row.value <= row.high
    of_b = each.gaps().query("algorithm == 'hospital B'")["value"]
    table = each.table().loc["hospital B"]
    assert table["gap"] == pytest.approx(of_b.mean(), abs=1e-3) and table["worst gap"] == round(of_b.max(), 3)
    assert table["elsewhere"] == pytest.approx(table["at home"] - table["gap"], abs=2e-3)


def test_fewer_images_are_fewer_and_change_no_test(clinic, each):
    few = train_on_each(clinic, ["hospital A"], most=20, **OPTIONS)
    assert few.homes == {"hospital A, 20 images": "hospital A"}
    assert few.table()["images"].item() <= 21 < each.table().loc["hospital A", "images"]
    whole = each.frame.query("algorithm == 'hospital A'")
    assert few.frame["index"].tolist() == whole["index"].tolist()
    assert list(each.only("hospital B", "hospital A").matrix()["algorithm"].unique()) == ["hospital A", "hospital B"]
    both = together(each, few)
    assert len(both.homes) == 5 and both.about.seconds == pytest.approx(each.about.seconds + few.about.seconds)
    assert set(both.table().index) == {*clinic.domain_names, "hospital A, 20 images"}


def test_one_training_says_each_loss_and_draws_a_line_a_tested_domain(clinic):
    alone = train_on_each(clinic, ["hospital A"], targets=["hospital C"], **OPTIONS)
    assert set(alone.frame["domain"]) == {"hospital A", "hospital C"}
    loss = alone.gaps().iloc[0]
    assert f"hospital C {-loss['value']:+z.2f} ({-loss['high']:+z.2f} to {-loss['low']:+z.2f})" in alone.say().data
    axis = alone.plot().axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["hospital A", "hospital C"]


def test_a_list_of_sentences_and_a_matrix_for_several(each):
    assert each.say().data.count("\n- Trained on **") == 3
    assert each.plot().axes[0].get_ylabel() == "trained on"


@pytest.mark.parametrize(("options", "said"), [({"sources": ["Atlantis"]}, "Atlantis"), ({"most": 1}, "most=1")])
def test_what_cannot_be_trained_is_refused(clinic, options, said):
    with pytest.raises(ValueError, match=said):
        train_on_each(clinic, **options, **OPTIONS)


def test_a_bought_network_trains_at_home_alone_and_reads_all_images_elsewhere(clinic):
    versions = {"plain": None, "inverted": lambda x: 1 - x}
    bought = train_at_home(clinic, "hospital B", versions, steps=3, width=4, n_jobs=1)
    assert bought.homes == {"plain": "hospital B", "inverted": "hospital B"}
    train, _, held_back = split(clinic.only("hospital B"), 0, (0.7, 0.0, 0.3))
    tested = bought.frame[bought.frame["algorithm"] == "plain"].groupby("domain")["index"].apply(set)
    assert tested["hospital B"] == set(held_back.index.tolist()) and bought.frame["trained"].unique() == [len(train)]
    assert all(len(tested[name]) == len(clinic.only(name)) for name in clinic.domain_names if name != "hospital B")
    model = build(ERM, train, seed=0, width=4, normalize=versions["inverted"])
    fit(model, train, steps=3, augment=flips, seed=0, **CONTENDERS[0].settings(0))
    mine = bought.frame.query("algorithm == 'inverted' and domain == 'hospital C'")
    x = clinic.only("hospital C").x
    np.testing.assert_allclose(mine["prob_1"], model.eval().predict(x).double().softmax(1)[:, 1].detach())
