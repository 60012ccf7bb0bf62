"""The clinic keeps its promises: what it says about an image is what it drew. Chapter: domain_shift."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from medgen_utils import clinic
from medgen_utils.clinic import Hospital, make_clinic

NEUTRAL = Hospital("neutral", noise=0.0, stain=(1.0, 1.0, 1.0))
PRESETS = {
    "acquisition": clinic.acquisition_hospitals(),
    "spread": clinic.spread_hospitals(),
    "population": clinic.population_hospitals(),
    "prevalence": clinic.prevalence_hospitals(),
    "shortcut": clinic.shortcut_hospitals(),
    "graders": clinic.grader_hospitals(),
    "habit": clinic.habit_hospitals(),
    "careless": clinic.careless_hospitals(),
}


def within_binomial_bounds(observed: torch.Tensor, probability: float) -> bool:
    """Whether the count of ones lies in the central 99.99 % of the binomial distribution."""
    low, high = binom.interval(0.9999, len(observed), probability)
    return low <= int(observed.sum()) <= high


@pytest.fixture(scope="module")
def shortcut() -> clinic.Clinic:
    return make_clinic(clinic.shortcut_hospitals(), n=1000, seed=3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 28, 64])
def test_shapes_types_and_ranges(size, channels):
    dataset = make_clinic(PRESETS["shortcut"], n=20, seed=0, size=size, channels=channels)
    assert dataset.x.shape == (80, channels, size, size)
    assert dataset.x.dtype == torch.float32
    assert dataset.x.min() >= 0 and dataset.x.max() <= 1
    for label in (dataset.y, dataset.true_y, dataset.marker):
        assert label.dtype == torch.int64 and label.shape == (80,) and set(label.tolist()) == {0, 1}
    assert dataset.domain.bincount().tolist() == [20] * 4
    assert dataset.class_names == ("benign", "malignant")
    assert len(dataset.nuisance) == 80 and len(set(dataset.group)) == 80


@pytest.mark.parametrize("channels", [1, 3])
def test_same_seed_same_bytes_whatever_the_number_of_threads(channels):
    threads = torch.get_num_threads()
    first = make_clinic(PRESETS["shortcut"], n=40, seed=7, channels=channels)
    try:
        torch.set_num_threads(2)
        second = make_clinic(PRESETS["shortcut"], n=40, seed=7, channels=channels)
    finally:
        torch.set_num_threads(threads)
    assert first.x.numpy().tobytes() == second.x.numpy().tobytes()
    assert torch.equal(first.y, second.y) and first.nuisance.equals(second.nuisance)
    assert not torch.equal(first.x, make_clinic(PRESETS["shortcut"], n=40, seed=8, channels=channels).x)


def test_adding_a_hospital_leaves_the_others_as_they_are():
    three, two = clinic.acquisition_hospitals(3)[:3], clinic.acquisition_hospitals(3)[:2]
    assert torch.equal(make_clinic(three, 30, 0).x[:60], make_clinic(two, 30, 0).x)


def test_a_larger_n_keeps_the_first_images():
    few, many = (make_clinic([Hospital("a", blur=0.5)], n, seed=1) for n in (7, 300))
    torch.testing.assert_close(many.x[:7], few.x)
    assert torch.equal(many.y[:7], few.y)


def test_hospitals_do_not_share_their_patients_unless_asked_to():
    hospitals = [Hospital("a"), Hospital("b")]
    apart, together = make_clinic(hospitals, 10, 0), make_clinic(hospitals, 10, 0, same_patients=True)
    assert not torch.isclose(apart.x[:10], apart.x[10:]).all()
    assert torch.equal(together.x[:10], together.x[10:])
    assert list(together.group[:10]) == list(together.group[10:])


@pytest.mark.parametrize("hospital", clinic.scanner_gallery()[1:], ids=lambda hospital: hospital.name)
def test_another_scanner_shows_the_same_patients_in_another_way(hospital):
    pair = make_clinic([clinic.scanner_gallery()[0], hospital], 50, 0, channels=3, same_patients=True)
    seen, other = pair.only("reference"), pair.only(hospital.name)
    assert seen.nuisance.equals(other.nuisance) and torch.equal(seen.y, other.y)
    assert not torch.equal(seen.x, other.x)


def test_another_gain_changes_nothing_but_the_gain():
    full, half = (make_clinic([Hospital("a", gain=gain, noise=0.0)], 20, 0).x for gain in (1.0, 0.5))
    torch.testing.assert_close(full / 2, half)


@pytest.mark.parametrize("channels", [1, 3])
def test_neutral_acquisition_is_the_identity(channels):
    tissue = np.random.default_rng(0).random((3, 20, 20), np.float32)
    image = clinic.acquire(tissue, NEUTRAL, np.random.default_rng(0), channels)
    np.testing.assert_array_equal(image[:, 0], np.maximum(tissue, 1e-3) if channels == 3 else tissue)
    assert image.shape == (3, channels, 20, 20)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"gain": 0.5}, lambda x: x / 2),
        ({"gain": 3.0}, lambda x: np.clip(3 * x, 0, 1)),
        ({"gamma": 2.0}, lambda x: x**2),
        ({"contrast": 0.5}, lambda x: 0.25 + x / 2),
        ({"polarity": -1}, lambda x: 1 - x),
    ],
    ids=["half the gain", "three times the gain", "gamma", "contrast", "polarity"],
)
def test_an_acquisition_parameter_does_what_its_name_says(change, expected):
    tissue = np.random.default_rng(0).random((3, 20, 20), np.float32)
    image = clinic.acquire(tissue, replace(NEUTRAL, **change), np.random.default_rng(0))
    np.testing.assert_allclose(image[:, 0], expected(tissue), atol=1e-6)


def test_blur_keeps_the_mean_and_lowers_the_variance():
    tissue = np.random.default_rng(0).random((3, 28, 28), np.float32)
    image = clinic.acquire(tissue, replace(NEUTRAL, blur=1.0), np.random.default_rng(0))[:, 0]
    np.testing.assert_allclose(image.mean((1, 2)), tissue.mean((1, 2)), atol=1e-5)
    assert image.std() < tissue.std() / 2


def test_noise_has_its_standard_deviation():
    image = clinic.acquire(
        np.full((50, 28, 28), 0.5, np.float32), replace(NEUTRAL, noise=0.05), np.random.default_rng(0)
    )
    assert image.std() == pytest.approx(0.05, rel=0.02)


def test_a_longer_texture_makes_neighbours_more_alike():
    def neighbour_correlation(length: float) -> float:
        x = make_clinic([Hospital("a", texture_length=length, lesion_contrast=0.0, noise=0.0)], 100, 0).x.numpy()
        return np.corrcoef(x[..., 1:].ravel(), x[..., :-1].ravel())[0, 1]

    assert neighbour_correlation(0.5) + 0.1 < neighbour_correlation(1.5) < neighbour_correlation(4.0) - 0.02


@pytest.mark.parametrize("prevalence", [0.1, 0.5, 0.9])
def test_prevalence(prevalence):
    assert within_binomial_bounds(make_clinic([Hospital("a", prevalence=prevalence)], 2000, 0, 16).true_y, prevalence)


@pytest.mark.parametrize(("position", "agreement"), [(0, 0.95), (1, 0.75), (2, 0.55), (3, 0.10)])
def test_marker_agrees_with_the_recorded_label_and_labels_flip_as_often_as_stated(shortcut, position, agreement):
    here = shortcut.only(shortcut.domain_names[position])
    assert within_binomial_bounds(here.marker == here.y, agreement)
    assert within_binomial_bounds(here.y != here.true_y, 0.2)


def test_the_marker_is_where_it_is_said_to_be(shortcut):
    rows, columns = clinic.marker_box(28)
    lit = (shortcut.x[:, 0, rows, columns] == 1).flatten(1).all(1)
    assert shortcut.x[0, 0, rows, columns].shape == (3, 3)
    assert torch.equal(lit, shortcut.marker == 1)


def test_no_marker_unless_asked_for():
    assert make_clinic(PRESETS["acquisition"], 100, 0, 16).marker.sum() == 0


def test_biased_graders_call_large_lesions_malignant_and_err_nowhere_else():
    here = make_clinic(clinic.grader_hospitals(large_called_malignant=0.9)[:1], 3000, 0, 16)
    large = torch.tensor(here.nuisance["radius"].to_numpy() > clinic.LARGE_LESION)
    benign = here.true_y == 0
    assert within_binomial_bounds(here.y[large & benign], 0.9)
    assert torch.equal(here.y[~(large & benign)], here.true_y[~(large & benign)])


def test_malignant_means_an_irregular_contour_and_nothing_else():
    here = make_clinic([Hospital("a")], 2000, 0, 16)
    assert roc_auc_score(here.true_y, here.nuisance["irregularity"]) > 0.99
    for other in ("radius", "center_x", "center_y", "elongation"):
        assert 0.45 < roc_auc_score(here.true_y, here.nuisance[other]) < 0.55


def test_the_drawn_contour_is_as_irregular_as_stated():
    """Perimeter over the root of the area, measured on the image, follows the nuisance value."""
    here = make_clinic([Hospital("a", noise=0.0, texture_length=5.0, lesion_contrast=0.6)], 400, 0, 64)
    dark = (here.x[:, 0] < 0.3).float()
    perimeter = dark.diff(dim=1).abs().sum((1, 2)) + dark.diff(dim=2).abs().sum((1, 2))
    assert roc_auc_score(here.true_y, perimeter / dark.sum((1, 2)).sqrt()) > 0.95


def test_without_irregularity_the_classes_look_the_same():
    here = make_clinic([Hospital("a", irregularity=0.0)], 2000, 0, 16)
    assert 0.45 < roc_auc_score(here.true_y, here.nuisance["irregularity"]) < 0.55


@pytest.mark.parametrize("as_index", [lambda mask: mask, lambda mask: mask.nonzero()[:, 0], lambda mask: mask.numpy()])
def test_subset_keeps_everything_in_step(shortcut, as_index):
    mask = torch.arange(len(shortcut)) % 3 == 1
    part = shortcut.subset(as_index(mask))
    assert isinstance(part, clinic.Clinic)
    for name in ("x", "y", "domain", "true_y", "marker"):
        assert torch.equal(getattr(part, name), getattr(shortcut, name)[mask])
    assert list(part.group) == list(shortcut.group[mask.numpy()])
    assert part.nuisance.equals(shortcut.nuisance[mask.numpy()].reset_index(drop=True))


def test_a_mask_of_another_length_is_refused(shortcut):
    with pytest.raises(ValueError, match=r"a mask of shape \(2,\) for 4000 images"):
        shortcut.subset(torch.tensor([True, False]))


def test_only_and_without_share_the_images_out(shortcut):
    new, known = shortcut.only(clinic.NEW_HOSPITAL), shortcut.without(clinic.NEW_HOSPITAL)
    assert len(new.true_y) == len(new.nuisance) == 1000 and len(known.marker) == len(known.nuisance) == 3000


@pytest.mark.parametrize("hospitals", PRESETS.values(), ids=PRESETS.keys())
def test_presets_are_three_sources_and_the_new_hospital(hospitals):
    assert len(hospitals) == 4
    assert [hospital.name == clinic.NEW_HOSPITAL for hospital in hospitals] == [False, False, False, True]


@pytest.mark.parametrize("number", [2, 3, 6])
def test_more_sources_keep_the_first_ones(number):
    assert clinic.acquisition_hospitals(number)[:number] == clinic.acquisition_hospitals(6)[:number]


def test_default_clinic_is_the_acquisition_preset():
    assert clinic.default_clinic(16).domain_names == tuple(hospital.name for hospital in PRESETS["acquisition"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hospitals": []}, "at least one"),
        ({"hospitals": [Hospital("a"), Hospital("a")]}, "name of its own"),
        ({"n": 0}, "n=0"),
        ({"seed": -1}, "seed=-1"),
        ({"size": 15}, "size=15"),
        ({"channels": 2}, "channels=2"),
    ],
)
def test_make_clinic_refuses_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        make_clinic(**({"hospitals": [Hospital("a")], "n": 2, "seed": 0} | change))


@pytest.mark.parametrize("preset", [clinic.acquisition_hospitals, clinic.spread_hospitals])
@pytest.mark.parametrize("number", [1, 7])
def test_presets_of_several_sizes_refuse_other_numbers(preset, number):
    with pytest.raises(ValueError, match=f"{number} source"):
        preset(number)


@pytest.mark.parametrize("number", [2, 3, 6])
def test_spread_hospitals_cover_the_same_gains_in_equal_ratios_and_the_new_one_is_darker(number):
    *sources, new = clinic.spread_hospitals(number)
    gains = np.array([hospital.gain for hospital in sources])
    assert len(gains) == number and gains[0] == 1 and gains[-1] == pytest.approx(0.55) and new.gain < gains[-1]
    assert np.ptp(gains[1:] / gains[:-1]) < 1e-9


def test_true_labels_replace_the_graders_where_asked():
    recorded = clinic.make_clinic(clinic.shortcut_hospitals(), 100, seed=0)
    assert (recorded.y != recorded.true_y).any()
    judged = recorded.with_true_labels(clinic.NEW_HOSPITAL)
    new = judged.domain == judged.domain_names.index(clinic.NEW_HOSPITAL)
    assert torch.equal(judged.y[new], recorded.true_y[new]) and torch.equal(judged.y[~new], recorded.y[~new])
    assert torch.equal(recorded.with_true_labels().y, recorded.true_y)
    with pytest.raises(KeyError, match="nowhere"):
        recorded.with_true_labels("nowhere")


def test_painting_over_hides_the_marker_and_nothing_else(shortcut):
    painted = shortcut.painted_over()
    rows, columns = clinic.marker_box()
    assert (painted.x[:, :, rows, columns] == 0.5).all()
    elsewhere = torch.ones(28, 28, dtype=bool)
    elsewhere[rows, columns] = False
    assert torch.equal(painted.x[:, :, elsewhere], shortcut.x[:, :, elsewhere])
    assert torch.equal(painted.marker, shortcut.marker) and not torch.equal(painted.x, shortcut.x)


def test_groups_say_label_and_marker_and_leave_the_kept_hospital_alone(shortcut):
    grouped = shortcut.by_label_and_marker(clinic.NEW_HOSPITAL)
    part = grouped.only("malignant, marker")
    assert (part.y == 1).all() and (part.marker == 1).all() and len(part) > 0
    assert torch.equal(grouped.only(clinic.NEW_HOSPITAL).index, shortcut.only(clinic.NEW_HOSPITAL).index)
    sizes = [len(grouped.only(name)) for name in grouped.domain_names]
    assert len(sizes) == 5 and sum(sizes) == len(shortcut)


def test_groups_refuse_an_unknown_hospital(shortcut):
    with pytest.raises(KeyError, match="hospital Z"):
        shortcut.by_label_and_marker("hospital Z")


def test_the_habit_without_markers_is_the_same_patients():
    marked, plain = (make_clinic(clinic.habit_hospitals(marked=m), 50, seed=4) for m in (True, False))
    assert plain.marker.sum() == 0 and marked.marker.sum() > 0
    rows, columns = clinic.marker_box()
    away = torch.ones(28, 28, dtype=bool)
    away[rows, columns] = False
    assert torch.equal(marked.x[:, :, away], plain.x[:, :, away]) and torch.equal(marked.y, plain.y)


def test_only_the_careless_hospital_records_wrong_labels():
    images = make_clinic(clinic.careless_hospitals(), 1000, seed=5)
    for name, share in zip(images.domain_names, (0.0, 0.0, 0.4, 0.0), strict=True):
        part = images.only(name)
        assert within_binomial_bounds((part.y != part.true_y).long(), share) or (
            share == 0 and (part.y == part.true_y).all()
        )


def test_prevalence_is_all_that_the_preset_changes_unless_the_lesion_is_to_be_harder():
    plain = clinic.acquisition_hospitals()[:2]
    easy, hard = clinic.prevalence_hospitals((0.9, 0.1)), clinic.prevalence_hospitals((0.9, 0.1), irregularity=0.1)
    assert [replace(h, prevalence=0.5) for h in easy[:2]] == list(plain)
    assert [replace(h, irregularity=0.25) for h in hard] == list(easy)
