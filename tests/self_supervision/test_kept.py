"""Probes read what features hold, on patients they have not seen; only ERM sees labels."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from medgen_utils import clinic
from medgen_utils import self_supervision as ssl
from medgen_utils.self_supervision import kept
from medgen_utils.training import ERM, build
from tests.networks import weights

HOSPITALS = clinic.acquisition_hospitals()
TINY = {"n": 40, "steps": 2, "width": 2}


class Written(nn.Module):
    """Features that are written into the first pixels of an image."""

    def __init__(self, n_features):
        super().__init__()
        self.n_features = n_features

    def forward(self, x):
        return x[:, 0, 0, : self.n_features]


def written(train, test, *columns):
    """Clinics whose images begin with these columns, and a network whose features they are."""
    parts = []
    for part in (train, test):
        x = part.x.clone()
        for k, column in enumerate(columns):
            x[:, 0, 0, k] = torch.tensor(column(part).tolist())
        parts.append(replace(part, x=x))
    return ERM(Written(len(columns)), nn.Linear(len(columns), 2)), *parts


def test_the_new_hospital_is_tested_and_does_not_train():
    train, test = ssl.clinic_parts(HOSPITALS, seed=0, n=20)
    assert clinic.NEW_HOSPITAL not in {train.domain_names[k] for k in train.domain.unique()}
    assert len(test.only(clinic.NEW_HOSPITAL)) == 6 and len(train) == 42
    assert not set(train.group) & set(test.group)


def test_probes_read_what_is_written_and_nothing_else():
    train, test = ssl.clinic_parts(HOSPITALS, seed=0, n=120)
    network, *parts = written(train, test, lambda part: part.true_y * 0.8, lambda part: part.nuisance["radius"])
    read = ssl.probe_features(network, *parts)
    assert read[kept.CLASS_HOME] == 1 and read[kept.CLASS_NEW] == 1
    assert read[kept.SIZE] > 0.999 and read[kept.HOSPITAL] < 0.55
    network, *parts = written(train, test, lambda part: part.domain / 4)
    read = ssl.probe_features(network, *parts)
    assert read[kept.HOSPITAL] == 1 and read[kept.SIZE] < 0.2 and abs(read[kept.CLASS_NEW] - 0.5) < 0.1


def test_labels_do_not_reach_a_task_without_labels():
    train, _ = ssl.clinic_parts(HOSPITALS, n=20)
    other = replace(train, y=1 - train.y)
    for task in ((ssl.SimCLR, {}), (ssl.RotNet, {}), (ssl.MAE, {})):
        first, second = (ssl.pretrained(task, part, seed=0, steps=2, width=2) for part in (train, other))
        assert torch.equal(weights(first), weights(second))
    first, second = (ssl.pretrained((ERM, {}), part, seed=0, steps=2, width=2) for part in (train, other))
    assert not torch.equal(weights(first), weights(second))


def test_a_probe_that_saw_the_change_reads_past_it():
    train, test = ssl.clinic_parts(HOSPITALS, seed=0, n=120)

    def hint(part):  # tells the class at the sources and the other one at the new hospital
        new = part.domain == part.domain_names.index(clinic.NEW_HOSPITAL)
        return torch.where(new, 1 - part.true_y, part.true_y) * 0.9

    def signal(part):  # less sure than the hint, and true everywhere
        return part.true_y * 0.3 + 0.3 * torch.rand(len(part), generator=torch.Generator().manual_seed(0))

    network, train, test = written(train, test, signal, hint)

    def scramble(x, generator):
        x = x.clone()
        x[:, 0, 0, 1] = 0.9 * (torch.rand(len(x), generator=generator) < 0.5)
        return x

    assert ssl.probe_features(network, train, test)[kept.CLASS_NEW] < 0.5
    x, y = kept.with_copies(train, scramble)
    assert len(x) == len(y) == 4 * len(train)
    assert torch.equal(x[: len(train)], train.x)
    assert kept.class_at_new(network, x, y, test) > 0.9


def test_varied_copies_and_own_labels_add_two_probes():
    tasks = {"masked": (ssl.MAE, {})}
    frame = ssl.what_is_kept(tasks, HOSPITALS, seeds=(0,), varied=lambda x, generator: x, **TINY)
    assert list(dict.fromkeys(frame["read"]))[4:] == list(kept.MORE)
    table = frame.pivot(index="features", columns="read", values="value")
    assert table[kept.MORE[0]].to_numpy() == pytest.approx(table[kept.CLASS_NEW].to_numpy(), abs=0.1)


def test_a_row_a_task_seed_and_probe():
    frame = ssl.what_is_kept({"masked": (ssl.MAE, {})}, HOSPITALS, seeds=(1, 2), **TINY)
    assert len(frame) == 2 * 2 * 4 and set(frame["seed"]) == {1, 2}
    train, test = ssl.clinic_parts(HOSPITALS, seed=1, n=40)
    again = ssl.probe_features(ssl.pretrained((ssl.MAE, {}), train, seed=1, steps=2, width=2), train, test)
    stored = frame.query("features == 'masked' and seed == 1").set_index("read")["value"]
    assert stored.to_dict() == pytest.approx(again)
    assert set(frame["features"]) == {"untrained", "masked"}


def test_only_what_has_a_projection_is_asked_for_it():
    tasks = {"masked": (ssl.MAE, {}), "SimCLR": (ssl.SimCLR, {})}
    frame = ssl.what_is_kept(tasks, HOSPITALS, seeds=(0,), **TINY)
    projected = frame[frame["read"] == kept.PROJECTED]
    assert set(projected["features"]) == {"SimCLR"} and 0 <= projected["value"].item() <= 1


def test_a_probe_in_place_of_the_last_layer_is_fitted_to_recorded_labels():
    train, test = ssl.clinic_parts(clinic.shortcut_hospitals(label_flips=0.4), n=120)
    network, train, test = written(train, test, lambda part: part.y * 0.8)
    probed = ssl.Probed(network, train)
    called_odds = probed.predict(test.x)
    called = called_odds.argmax(1)
    assert torch.equal(called, test.y) and not torch.equal(called, test.true_y)
    torch.testing.assert_close(called_odds.exp().sum(1), torch.ones(len(test), dtype=called_odds.dtype))


def test_where_the_marker_is_all_there_is_it_misleads():
    hospitals = clinic.shortcut_hospitals(agreements=(1.0, 1.0, 1.0), unseen=0.0, label_flips=0.0)
    train, test = ssl.clinic_parts(hospitals, n=60)
    network, train, test = written(train, test, lambda part: part.marker * 0.8)
    away = test.only(clinic.NEW_HOSPITAL)
    assert torch.equal(ssl.Probed(network, train).predict(away.x).argmax(1), 1 - away.true_y)
    frame = ssl.with_the_marker({"masked": (ssl.MAE, {})}, hospitals, seeds=(0, 1), **TINY)
    assert len(frame) == 4 and set(frame["read"]) == {kept.CLASS_NEW, kept.MARKER}


def test_a_step_shows_every_network_as_many_images(monkeypatch):
    seen = {}

    def count(model, train, *, batch_size, **_):
        seen[type(model).__name__] = batch_size

    monkeypatch.setattr(kept, "fit", count)
    train, _ = ssl.clinic_parts(HOSPITALS, n=20)
    for algorithm in (ERM, ssl.SimCLR, ssl.BYOL, ssl.RotNet, ssl.MAE):
        ssl.pretrained((algorithm, {}), train, seed=0, steps=1, width=2)
    assert seen == {"ERM": 48, "SimCLR": 24, "BYOL": 24, "RotNet": 12, "MAE": 48}
    assert build(ssl.SimCLR, train, seed=0, width=2).n_domains == 3
