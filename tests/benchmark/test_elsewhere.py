"""Networks that have learned elsewhere in the sweep: frozen features as a data set, fine-tuning, rows that repeat."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from medgen_utils.backbones import SmallCNN, WeightsUnavailable, lite0_weights
from medgen_utils.benchmark import Task, board, evidence, packing, run_task, sweep
from medgen_utils.benchmark import entries as registry
from medgen_utils.benchmark.board import progress, read_board
from medgen_utils.benchmark.elsewhere import (
    FINE_TUNED,
    FROZEN,
    LARGEST,
    Elsewhere,
    Normalized,
    OnFeatures,
    features_as_images,
)
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.data_augmentation import standardize_per_image
from medgen_utils.pretraining import dataset_features
from medgen_utils.pretraining.learners import fine_tuned
from tests.benchmark.small import CREW, PROBLEM, SMALL, small_clinic

BY_NAME = {contender.name: contender for contender in CONTENDERS}
FEATURES = replace(
    small_clinic(0), x=torch.rand((240, 12), generator=torch.Generator().manual_seed(0))[:, :, None, None]
)
ON_TWELVE = Elsewhere(
    "twelve numbers, frozen", lambda width, normalize: OnFeatures(12, width), lambda algorithm: algorithm
)
FROZEN_SMALL = replace(
    PROBLEM, name="small, frozen", load=lambda seed: FEATURES, inner=(), augment=None, size=64, elsewhere=ON_TWELVE,
    methods=("ERM", "CORAL"), seeds=1,
)  # fmt: skip


def test_features_are_standardized_and_as_many_as_a_small_cnns_leave():
    network = OnFeatures(12, 4).train()
    assert network(FEATURES.x).shape == (240, SmallCNN(1, 4).n_features)
    standard = network.layers[1](FEATURES.x.flatten(1))
    assert standard.mean(0).abs().max() < 1e-5 and (standard.std(0) - 1).abs().max() < 1e-2
    assert not list(network.layers[1].parameters())


@pytest.mark.parametrize(
    "name", [name for name in BY_NAME if FROZEN_SMALL.takes(BY_NAME[name])] + ["CORAL", "DANN", "MLDG"]
)
def test_methods_of_the_family_train_on_features(name):
    table = run_task(Task(FROZEN_SMALL, BY_NAME[name], FROZEN_SMALL.targets[:1], 0, 0))
    assert set(table["backbone"]) == {"twelve numbers, frozen"} and set(table["image_size"]) == {64}
    assert table["auroc"].between(0, 1).all()


def test_an_alignment_of_features_has_something_to_move():
    """With a linear head alone frozen features would be the same under every weight."""
    scores = [
        run_task(Task(FROZEN_SMALL, BY_NAME["CORAL"], FROZEN_SMALL.targets[:1], 0, 0), settings={"weight": weight})
        for weight in (0.0, 1000.0)
    ]
    assert scores[0]["brier"].tolist() != scores[1]["brier"].tolist()


def test_what_acts_on_images_is_refused_on_features():
    with pytest.raises(ValueError, match="acts on images"):
        FROZEN.featurizer(16, standardize_per_image)


def test_a_normalized_image_has_mean_and_contrast_of_photographs():
    class Says(nn.Module):
        n_features = 1

        def forward(self, x):
            return x

    x = 0.1 + 0.2 * torch.rand((3, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    seen = Normalized(Says(), standardize_per_image)(x)
    assert seen.mean((1, 2, 3)) == pytest.approx(torch.full((3,), 0.45), abs=1e-4)
    assert seen.std((1, 2, 3)) == pytest.approx(torch.full((3,), 0.225), abs=1e-3)


def test_the_published_network_gives_features_and_is_tuned_slowly():
    try:
        lite0_weights()
    except WeightsUnavailable as error:
        pytest.skip(str(error))
    images = replace(small_clinic(0), x=nn.functional.interpolate(small_clinic(0).x, size=32)).subset(torch.arange(8))
    found = features_as_images(images)
    z = dataset_features(FINE_TUNED.featurizer(16, None).eval(), images)
    assert torch.equal(found.x[:, :, 0, 0], z / LARGEST) and found.x.max() <= 1
    assert FROZEN.featurizer(16, None)(found.x).shape == (8, 64)
    assert isinstance(FINE_TUNED.featurizer(16, standardize_per_image), Normalized)
    assert FINE_TUNED.adapt is fine_tuned


# ------------------------------------------------------------------------------------------- beside the other rows


@pytest.fixture
def mixed(store, tmp_path, monkeypatch):
    """The small store with the rows of the small CNN, and those of another network packed beside them."""
    problems, crew = (PROBLEM, FROZEN_SMALL), (*CREW, BY_NAME["CORAL"])
    for module in (evidence, registry, board):
        monkeypatch.setattr(module, "PROBLEMS", problems)
    for module in (registry, board):
        monkeypatch.setattr(module, "CONTENDERS", crew)
    monkeypatch.setattr(board, "path_of", lambda file: store / file)
    before = evidence.read()
    sweep(crew, [FROZEN_SMALL], tmp_path / "frozen.csv", n_jobs=1, predictions=tmp_path / "log_odds")
    packing.pack(tmp_path / "frozen.csv", store, tmp_path / "log_odds")
    return before


def test_rows_of_two_networks_lie_side_by_side_and_never_mix(mixed):
    rows = evidence.read(problem="small")
    assert rows.equals(mixed), "packing more leaves what was there as it was"
    assert set(rows["backbone"]) == {"small CNN, width 4"}
    frozen = evidence.read(problem="small, frozen")
    assert set(frozen["backbone"]) == {"twelve numbers, frozen"}
    assert set(frozen["method"]) == {"ERM", "CORAL"}, "one seed makes no ensemble"
    assert set(read_board("small").rows["backbone"]) == {"small CNN, width 4"}
    board_of_features = read_board("small, frozen")
    assert set(board_of_features.rows["backbone"]) == {"twelve numbers, frozen"}
    assert board_of_features.lacking == (), "who cannot take part is not waited for"
    assert len(evidence.predictions("small, frozen", 2)) == 2 * 2 * 60


def test_a_row_of_another_network_is_repeated_to_the_last_digit(mixed):
    row = evidence.read(problem="small, frozen", method="ERM", trial=1).iloc[0]
    found = evidence.repeat(row)
    assert found.same_machine and found.came_out and (found.table["here"] - found.table["stored"]).abs().max() < 1e-6


def test_progress_lists_every_problem_with_its_own_plan(mixed):
    table = progress().set_index("problem")
    assert list(table.index) == ["small", "small, frozen"]
    planned = 2 * FROZEN_SMALL.trials(CREW[0]) * len(FROZEN_SMALL.targets)
    assert table.loc["small, frozen", "primary runs"] == table.loc["small, frozen", "primary planned"] == planned
    assert table.loc["small, frozen", "other planned"] == 0


def test_a_problem_takes_its_own_number_of_trials():
    assert replace(SMALL, data="clinic", most_trials=3).trials(CREW[0]) == 3
