"""What is in a pool, that its labels are gone, and that all are judged on patients that no pool has seen."""

import pytest
import torch

from medgen_utils.benchmark import best_pool, compare_pools, part, pooled
from medgen_utils.benchmark.pools import ALL, HALF
from medgen_utils.self_supervision import MAE
from tests.benchmark.small import colour_clinic, small_clinic

CLINIC = small_clinic(0)
TARGET = "hospital A"


def test_the_target_is_halved_by_patients_and_no_source():
    parted = part(CLINIC, TARGET)
    assert len(parted.looked_at) == len(parted.test) == 30
    assert not set(parted.looked_at.group) & set(parted.test.group)
    assert TARGET not in {CLINIC.domain_names[k] for k in parted.sources.domain}
    again = part(CLINIC, TARGET, seed=1)
    assert not torch.equal(parted.test.index, again.test.index)


def test_a_pool_holds_all_images_a_domain_each_and_no_label():
    parted = part(CLINIC, TARGET)
    pool = pooled(parted.sources, parted.looked_at, parted.sources)
    assert len(pool) == 180 + 30 + 180 and (pool.y == 0).all()
    assert len(pool.domain.unique()) == len(pool.domain_names) == 3 + 1 + 3
    assert pool.domain_names[4] == "hospital B (2)" and len(set(pool.domain_names)) == 7
    assert torch.equal(pool.x[:180], parted.sources.x)
    assert pool.only(TARGET).x.shape[0] == 30


def test_images_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        pooled(CLINIC, colour_clinic(0))


def test_pools_stand_beside_plain_training_on_the_same_unseen_patients():
    parted = part(CLINIC, TARGET)
    pools = {"sources": pooled(parted.sources), "with the target": pooled(parted.sources, parted.looked_at)}
    options = {"seeds": (0,), "steps": 2, "width": 2}
    result = compare_pools(parted, pools, (MAE, {}), **options)
    assert result.methods == (ALL, HALF, *pools)
    assert set(result.frame["index"]) == set(parted.test.index.tolist())
    assert set(result.frame["domain"]) == {TARGET}
    best = best_pool(result)
    means = result.table()["mean"]
    assert means[best["pool"]] == means[list(pools)].max() and means[best["plain"]] == means[[ALL, HALF]].max()
    assert best["low"] <= best["value"] <= best["high"]
    assert best["value"] == pytest.approx(means[best["pool"]] - means[best["plain"]], abs=0.002)
    assert result.say().data.count("moves the AUROC at hospital A") == 3
