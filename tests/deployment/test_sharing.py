"""What shares weights is tested at its members and outside, and the network of a member at that member."""

import numpy as np
import pytest

from medgen_utils import clinic
from medgen_utils.adaptation import adapt_batchnorm
from medgen_utils.deployment import sharing
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.federated import federate
from medgen_utils.hospital import Hospital
from medgen_utils.training import ERM, build, flips_and_turns

MEMBERS = (Hospital("A"), Hospital("B", gain=0.4))


def test_scores_are_those_of_the_members_at_home_and_of_the_guest_outside():
    table = sharing.train_together(MEMBERS, Hospital("elsewhere", gain=0.6), seeds=(3,), steps=20, n=24)
    value = table.set_index(["training", "tested at"])["value"]
    assert len(table) == 5 * 2 and table["seed"].eq(3).all()
    train = clinic.make_clinic(MEMBERS, 24, 3)
    model = build(ERM, train, seed=3, width=16)
    how = {"rounds": 2, "local_steps": 10, "augment": flips_and_turns, "seed": 3, "local_normalization": True}
    local = federate(model, train, **how)
    tests = clinic.make_clinic(MEMBERS, 300, 1003)
    home = [
        auroc(part.true_y.numpy(), predict_probabilities(member, part.x))
        for name, member in local.members.items()
        for part in [tests.only(name)]
    ]
    assert value["FedBN", sharing.MEMBERS] == pytest.approx(np.mean(home))
    outside = clinic.make_clinic([Hospital("x", gain=0.6)], 300, 2003)
    for name, guest in {
        "FedBN": local.guest,
        "FedBN, own statistics": adapt_batchnorm(local.guest, outside.x, 0),
    }.items():
        expected = auroc(outside.true_y.numpy(), predict_probabilities(guest, outside.x))
        assert value[name, sharing.OUTSIDE] == pytest.approx(expected)
