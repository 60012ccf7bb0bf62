"""The networks of the game travel as numbers, and do in Python what they learned."""

import numpy as np
import pytest
import torch

from medgen_utils.evaluation import auroc
from medgen_utils.sealed import cases, networks

HOME, PLAIN = cases.images(cases.Hidden(1, (), (*cases.training_hospitals(), cases.Hospital("other"))))


def test_packed_numbers_come_back():
    featurizer, head = networks.network("erm", "plain")
    again = networks.unpack(networks.pack(featurizer, head))
    torch.testing.assert_close(again(HOME.x), networks.network("erm", "plain")(HOME.x))


@pytest.mark.parametrize("condition", networks.CONDITIONS)
@pytest.mark.parametrize("kind", networks.KINDS)
def test_every_network_knows_its_task(kind, condition):
    if condition != "shortcut" or kind == "cover":
        score = networks.scores(kind, condition, PLAIN.x)
        assert auroc(PLAIN.true_y.numpy(), score) > (0.75 if kind == "erm" else 0.65)


def test_only_the_covered_network_does_not_see_the_marker():
    marked = PLAIN.x.clone()
    marked[:, :, 2:5, 2:5] = 1
    unmarked = networks.covered(PLAIN.x)
    moved = {
        kind: np.abs(networks.scores(kind, "shortcut", marked) - networks.scores(kind, "shortcut", unmarked)).mean()
        for kind in ("erm", "cover")
    }
    assert moved["cover"] == 0 and moved["erm"] > 0.5


def test_an_unknown_network_is_refused():
    with pytest.raises(KeyError):
        networks.network("erm", "sunny")


def test_file_is_small():
    assert networks.FILE.stat().st_size < 300_000
