"""Near-duplicates: what counts as one, what becomes of it, and how often the measure errs."""

import numpy as np
import pytest
from PIL import Image

from medgen_utils.data import near_duplicates as near
from medgen_utils.data.prepared import load_npz


@pytest.fixture
def pictures() -> np.ndarray:
    """Six smooth grey pictures of 64 px; 2 is 0 brighter and with noise, 5 is 4 shifted by a pixel."""
    random = np.random.default_rng(0)
    rough = [Image.fromarray(random.integers(0, 200, (12, 12), dtype=np.uint8)) for _ in range(6)]
    images = np.stack([np.asarray(picture.resize((64, 64), Image.BICUBIC)) for picture in rough])
    images[2] = images[0] + random.integers(10, 14, (64, 64), dtype=np.uint8)
    images[5] = np.roll(images[4], 1, axis=1)
    return images


@pytest.mark.parametrize("measure", [near.near_duplicates, near.correlated])
def test_copies_share_a_cluster_named_by_the_first(pictures, measure):
    assert measure(pictures).tolist() == [0, 1, 0, 3, 4, 4]


@pytest.mark.parametrize("size", [28, 64])
def test_the_hash_sees_neither_brightness_nor_contrast(pictures, size):
    small = np.stack([np.asarray(Image.fromarray(picture).resize((size, size))) for picture in pictures])
    hashes = near.perceptual_hash(small)
    assert hashes.shape == (6, 256)
    np.testing.assert_array_equal(hashes, near.perceptual_hash(small / 2.0 + 20))
    np.testing.assert_array_equal(hashes, near.perceptual_hash(np.repeat(small[..., None], 3, axis=3)))
    distances = near.hash_distances(hashes, hashes)
    assert np.diag(distances) == pytest.approx(0, abs=1e-6) and distances[0, 1] > 0.3


def test_an_image_too_small_for_the_hash_is_refused():
    with pytest.raises(ValueError, match="at least 17 px"):
        near.perceptual_hash(np.zeros((2, 16, 20), np.uint8))


def test_one_of_each_cluster_is_kept_and_none_of_a_conflicting_one():
    cluster, y = np.array([0, 0, 2, 2, 4]), np.array([1, 1, 0, 1, 0])
    assert near.one_each(cluster, y).tolist() == [True, False, False, False, True]


def test_identical_images_with_opposite_labels_go():
    images = np.array([[[1]], [[1]], [[2]], [[2]], [[3]]], np.uint8)
    assert near.without_conflicts(images, np.array([0, 1, 1, 1, 0])).tolist() == [False, False, True, True, True]


def test_groups_name_clusters_and_leave_the_others_alone(pictures):
    assert near.groups(pictures, "copies").tolist() == ["copies 0", "", "copies 0", "", "copies 4", "copies 4"]


def test_error_rates_count_pairs(pictures):
    patient = np.array(["a", "b", "a", "c", "d", "e"])  # the copy of d is called another patient's
    rates = near.error_rates(pictures, patient, bits=(0, near.BITS))
    assert rates.index.tolist() == [0, near.BITS]
    assert rates.loc[near.BITS].tolist() == [1, pytest.approx(1 / 14), 1]


@pytest.mark.parametrize("size", [28, 64])
def test_on_bus_bra_the_threshold_calls_no_two_patients_one(real, size):
    arrays = load_npz(real(f"busbra_{size}.npz") / f"busbra_{size}.npz")
    rates = near.error_rates(arrays["images"], arrays["groups"], bits=(near.BITS, near.BITS + 16))
    assert rates["false pairs"].tolist()[0] == 0 < rates["false pairs"].tolist()[1]
    assert rates["found"].tolist()[0] == 0  # two views of one patient are no near-duplicates


def test_on_busi_the_hash_finds_four_of_five_pairs_that_correlation_finds(real):
    arrays = load_npz(real("breast_hospitals_64.npz") / "breast_hospitals_64.npz")
    cairo = arrays["domains"] == 0
    images, first = arrays["images"][cairo], arrays["near_dup"][cairo]
    np.testing.assert_array_equal(near.correlated(images), first)
    np.testing.assert_array_equal(near.one_each(first, arrays["labels"][cairo]), arrays["keep"][cairo])
    rates = near.error_rates(images, first.astype(str), bits=[near.BITS])
    assert rates["found"].item() == pytest.approx(0.82, abs=0.01)
    assert rates["false pairs"].item() == 6
