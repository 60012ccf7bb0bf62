"""The experiments on a new scanner test what they say: same patients, so many of each class, in this order."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from medgen_utils.adaptation import Tent, adapt_batchnorm
from medgen_utils.deployment import scanner
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.hospital import Hospital
from medgen_utils.training import ERM

OURS = Hospital("ours")
WAYS = {"ERM": lambda model, x: model, "statistics": lambda model, x: adapt_batchnorm(model, x, 16)}


@functools.cache
def model(seed: int = 0) -> ERM:
    return scanner.train_elsewhere(seed, 15)


def test_a_scanner_meets_the_same_patients_and_another_model_others():
    first, darker = (scanner.patients_of(replace(OURS, gain=gain), 20, 0) for gain in (1, 0.5))
    assert first.true_y.tolist() == darker.true_y.tolist() and (first.x != darker.x).any()
    assert (scanner.patients_of(OURS, 20, 1).x != first.x).any()


def test_over_gains_scores_each_way_at_each_gain():
    table = scanner.over_gains([model()], OURS, (1, 0.5), WAYS, n=40).set_index(["algorithm", "gain", "metric"])
    test = scanner.patients_of(replace(OURS, gain=0.5), 40, 0)
    for name, way in WAYS.items():
        score = predict_probabilities(way(model(), test.x), test.x)
        assert table.loc[(name, 0.5, "auroc"), "value"] == pytest.approx(auroc(test.y.numpy(), score))
    assert len(table) == 2 * 2 * 2


def test_batches_are_of_the_size_that_is_named():
    table = scanner.over_batch_sizes([model()], OURS, (4, 40), (0, 16), n=40).set_index(["memory", "size"])["value"]
    test = scanner.patients_of(OURS, 40, 0)
    together = predict_probabilities(adapt_batchnorm(model(), test.x, 16), test.x)
    assert table["N = 16", 40] == pytest.approx(auroc(test.y.numpy(), together))
    assert table["N = 0", 4] != table["N = 0", 40]


def test_the_share_of_a_batch_is_that_of_the_patients(monkeypatch):
    """A predictor that reads the brightness of the images, which stand for their class here."""
    seen = []

    def recorded(predictor, x):
        seen.append(x)
        return np.eye(2)[np.zeros(len(x), int)]

    monkeypatch.setattr(scanner, "predict_probabilities", recorded)
    table = scanner.over_shares([model()], OURS, (0, 0.25, 1), draws=2)
    assert len(table) == 3 * 2 * 2 and all(len(x) == 64 for x in seen)
    pool = scanner.make_clinic([OURS], 400, seed=11)
    label = {image.numpy().tobytes(): int(y) for image, y in zip(pool.x, pool.true_y, strict=True)}
    shares = [np.mean([label[image.numpy().tobytes()] for image in x]) for x in seen[::2]]
    assert shares == pytest.approx([0, 0, 0.25, 0.25, 1, 1])


def test_order_matters_to_what_reads_the_batch_and_not_to_erm():
    table = scanner.in_two_orders([model()], OURS, n=64)
    value = table[table["metric"] == "auroc"].set_index(["algorithm", "order"])["value"]
    assert value["ERM", "shuffled"] == value["ERM", "benign first"]
    assert value["statistics of each batch", "shuffled"] > value["statistics of each batch", "benign first"]
    test = scanner.patients_of(OURS, 64, 0)
    stream = test.subset(np.argsort(test.true_y.numpy(), kind="stable"))
    score = predict_probabilities(Tent(model()), stream.x, 32)
    assert value["Tent", "benign first"] == pytest.approx(auroc(stream.y.numpy(), score))
