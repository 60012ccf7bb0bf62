"""A look inside is a look at the network that `compare` trains, and its shares obey the arithmetic of errors."""

import numpy as np
import pytest
import torch

from medgen_utils.benchmark import Contender, compare, dealt_out, look_inside
from medgen_utils.clinic import NEW_HOSPITAL, make_clinic
from medgen_utils.feature_alignment import CDANN, DANN
from tests.benchmark.small import FEW, HOSPITALS

IMAGES = make_clinic(HOSPITALS, 60, seed=0, size=16)
OPTIONS = {"steps": 6, "width": 4, "n_jobs": 1, "seeds": (0, 1)}


@pytest.fixture(scope="module")
def inside():
    methods = [FEW[0], Contender("DANN", "a", DANN), Contender("CDANN", "a", CDANN)]
    return look_inside(methods, IMAGES, [NEW_HOSPITAL], **OPTIONS)


@pytest.fixture
def looks(inside):
    return inside.looks


def test_it_is_the_network_that_compare_trains(inside):
    result = compare([FEW[0]], IMAGES, target=NEW_HOSPITAL, validation_share=0.2, **OPTIONS)
    expected = result.scores().set_index("unit")["value"].to_dict()
    assert expected == inside.result.scores().set_index(["method", "unit"])["value"]["ERM"].to_dict()
    seen = {f"seed {look.seed}": look.auroc[NEW_HOSPITAL] for look in inside.looks if look.method == "ERM"}
    assert seen == expected and inside.result.methods[0] == "ERM"
    assert inside.result.frame.index.tolist() == list(range(len(inside.result.frame)))


def test_a_look_is_at_held_back_images_of_the_sources(looks):
    look = looks[0]
    assert set(look.domain) == {"hospital A", "hospital B", "hospital C"} and look.chance == pytest.approx(1 / 3)
    assert len(look.z) == len(look.y) == len(look.called)
    assert abs(len(look.z) - 36) <= 3  # a fifth of three times 60
    assert set(look.called) <= {0, 1}


def test_the_untrained_probe_depends_on_the_seed_and_not_on_the_method(looks):
    before = {(look.method, look.seed): look.before for look in looks}
    assert before["ERM", 0] == before["DANN", 0] and before["ERM", 1] == before["DANN", 1]


def test_only_a_discriminator_that_sees_the_features_alone_is_a_witness(looks):
    own = {look.method: look.own for look in looks}
    assert np.isnan(own["ERM"]) and np.isnan(own["CDANN"]) and 0 <= own["DANN"] <= 1


def test_several_targets_left_out_together_are_scored_apart():
    pair = ("hospital C", NEW_HOSPITAL)
    inside = look_inside([FEW[0]], IMAGES, [pair], steps=2, width=4, n_jobs=1)
    (look,) = inside.looks
    assert tuple(look.auroc) == pair and set(look.domain) == {"hospital A", "hospital B"}
    assert inside.table()["domain"].tolist() == list(pair)


def test_what_is_more_than_an_algorithm_is_refused():
    with pytest.raises(ValueError, match="'jitter' is more than an algorithm"):
        look_inside([FEW[2]], IMAGES, [NEW_HOSPITAL], steps=2, width=4, n_jobs=1)


def test_a_share_is_never_wrong_by_more_than_its_images(inside):
    table = inside.calls()
    assert len(table) == 3 * 2 * 3
    assert ((table["prevalence"] - table["called"]).abs() <= table["error"] + 1e-12).all()
    look = inside.looks[0]
    first = table.iloc[0]
    here = look.domain == first["domain"]
    assert first["called"] == look.called[here].mean() and first["error"] == (look.called != look.y)[here].mean()


def test_names_dealt_out_keep_their_numbers_and_leave_the_target_alone():
    null = dealt_out(IMAGES, NEW_HOSPITAL, seed=3)
    assert torch.equal(torch.bincount(null.domain), torch.bincount(IMAGES.domain))
    assert torch.equal(null.only(NEW_HOSPITAL).index, IMAGES.only(NEW_HOSPITAL).index)
    assert torch.equal(null.x, IMAGES.x) and torch.equal(null.y, IMAGES.y)
    moved = (null.domain != IMAGES.domain).float().mean()
    assert 0.35 < moved < 0.65  # two thirds of three quarters


def test_other_seeds_deal_other_names():
    assert not torch.equal(dealt_out(IMAGES, seed=0).domain, dealt_out(IMAGES, seed=1).domain)
    assert torch.equal(dealt_out(IMAGES, seed=1).domain, dealt_out(IMAGES, seed=1).domain)


def test_two_looks_side_by_side_have_the_networks_of_both(inside):
    other = look_inside([Contender("again", "a")], IMAGES, [NEW_HOSPITAL], **OPTIONS)
    both = inside.beside(other)
    assert len(both.looks) == 8 and both.result.methods == (*inside.result.methods, "again")
    scores = both.table().set_index(["method", "seed"])["auroc"]
    assert (scores["again"] == scores["ERM"]).all()
