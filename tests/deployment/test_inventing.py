"""Trainings with drawn images see the share of them that is stated, and are tested on patients of their own."""

import torch

from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.deployment import inventing
from medgen_utils.hospital import Hospital
from medgen_utils.training import draw_batches


def test_parts_become_domains_with_equal_shares_of_a_step():
    real = make_clinic(acquisition_hospitals(2)[:-1], 20, seed=0)
    parts = [(real.only(name).x, real.only(name).y) for name in ("hospital A", "hospital B")]
    both = inventing.together([*parts, (torch.ones(6, 1, 28, 28), torch.arange(6) % 2)], real)
    assert both.domain.bincount().tolist() == [20, 20, 6] and len(both.domain_names) == 3
    batch = next(draw_batches(both, 48, True, torch.Generator().manual_seed(0)))
    assert [len(part.y) for part in batch] == [16, 16, 16] and (batch[2].x == 1).all()


def test_half_of_a_batch_is_drawn_and_the_real_patients_are_the_first_of_the_many(monkeypatch):
    trained = []
    monkeypatch.setattr(inventing, "fit", lambda model, train, **how: trained.append(train))
    table = inventing.train_on_drawn(Hospital("dark", gain=0.5), seeds=(0,), steps=1, n=10)
    real, both, drawn, many = trained
    assert (len(real), len(many), len(drawn)) == (30, 150, 3 * 2 * inventing.DRAWN)
    assert [len(both.only(name)) for name in both.domain_names] == [10] * 3 + [2 * inventing.DRAWN] * 3
    first = torch.stack([many.only(name).x[:10] for name in many.domain_names[:3]])
    assert torch.equal(first.flatten(0, 1), real.x)
    assert list(dict.fromkeys(table["training"])) == [
        inventing.REAL, inventing.WITH_DRAWN, inventing.ONLY_DRAWN, inventing.MORE_REAL,
    ]  # fmt: skip
