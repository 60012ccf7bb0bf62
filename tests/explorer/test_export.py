"""What the export writes is small, is what torch answers, and gives the page its numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from explorer import export
from medgen_utils import clinic, training
from tests.explorer.examples import FOLDER, lesions, network, networks, results, scanners, settings


@networks
def test_weights_are_small_enough_for_a_page(name):
    assert (FOLDER / f"{name}.js").stat().st_size < 200_000


def test_all_files_together_leave_room_on_a_page_of_one_megabyte():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.name != "check.json") < 400_000


def test_the_test_images_are_those_the_script_writes():
    assert export.read_script(FOLDER / "lesions.js") == export.test_set_file(lesions())


@scanners
@networks
def test_check_file_holds_what_torch_answers(name, scanner):
    if scanner not in results()["scanners"]:
        pytest.skip("compared in the browser only")
    stored = results()["scanners"][scanner]
    assert stored["settings"] == settings(scanner)
    answers = export.logits(network(name), export.scan(lesions(), settings(scanner)))
    np.testing.assert_allclose(stored[name]["logits"], answers, atol=1e-4)
    assert stored[name]["auroc"] == pytest.approx(
        roc_auc_score(lesions().malignant, answers[:, 1] - answers[:, 0]), abs=1e-9
    )


def test_test_set_is_balanced_and_unmarked():
    test = lesions()
    assert test.tissue.shape == (export.TEST_IMAGES, 28, 28) and test.malignant.mean() == 0.5
    hospital = replace(export.training_hospitals()[0], marker_if_benign=0, marker_if_malignant=0)
    train = clinic.make_clinic([hospital], n=50, seed=2024)
    assert not any((train.x[:, 0] == torch.from_numpy(image) / 255).all((1, 2)).any() for image in test.tissue)


@pytest.mark.parametrize("agreement", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_marker_agrees_with_the_disease_as_often_as_the_slider_says(agreement):
    marker, malignant = export.marked(lesions(), agreement), lesions().malignant
    assert marker[malignant].mean() == pytest.approx(agreement, abs=0.02)
    assert marker[~malignant].mean() == pytest.approx(1 - agreement, abs=0.02)


def test_marker_is_the_one_of_the_clinic():
    plain = clinic.Hospital("a", noise=0)
    marked = replace(plain, marker_if_benign=1, marker_if_malignant=1)
    x = clinic.make_clinic([marked], n=2, seed=0, channels=3).x
    rows, columns = clinic.marker_box()
    assert (x[:, :, rows, columns].flatten(2) == torch.tensor(export.MARKER_COLOUR)[:, None]).all()


def test_folding_batch_normalization_keeps_the_function():
    dataset = clinic.make_clinic(export.training_hospitals(), n=8, seed=0, channels=3)
    algorithm = training.build(training.ERM, dataset, seed=0, width=8)
    generator = torch.Generator().manual_seed(0)
    for module in algorithm.featurizer.layers:
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    algorithm.eval()
    folded = export.fold(algorithm)
    torch.testing.assert_close(export.logits(folded, dataset.x), algorithm.predict(dataset.x), rtol=2e-3, atol=2e-3)
    again = export.unpack(export.pack(folded))
    torch.testing.assert_close(export.logits(again, dataset.x), export.logits(folded, dataset.x))


def test_numbers_in_the_text_come_from_the_check_file():
    page = export.PAGE.read_text("utf-8")
    assert page == export.with_facts(page, results())
    body = page.split("---\n", 2)[2]
    assert set(re.findall(r"\{\{ (\w+) \}\}", body)) <= set(export.facts(results()))


def test_what_the_text_says_in_words_is_so():
    erm, augmented = (
        {name: result[network] for name, result in results()["scanners"].items()} for network in export.NAMES
    )
    for scanner in ("dark", "flat", "blurred", "noisy"):
        assert augmented[scanner]["auroc"] > erm[scanner]["auroc"] + 0.05
    assert erm["home"]["auroc"] > augmented["home"]["auroc"], "question 3: what augmentation costs"
    broken = [erm[scanner]["auroc"] for scanner in ("noisy", "blurred", "flat", "dark")]
    assert erm["stained"]["auroc"] > 0.9 > 0.85 > max(broken), "question 1"
    assert erm["curve"]["auroc"] > 0.9 and erm["curve"]["called"] > 0.9 > 0.1 > erm["blurred"]["called"], "question 2"
    assert erm["against"]["auroc"] > 0.95 and augmented["against"]["auroc"] < augmented["coin"]["auroc"] - 0.1
    assert results()["turned by the marker"]["augmented"] > 3 * results()["turned by the marker"]["erm"], "question 4"
    for seen in (erm, augmented):
        assert seen["little"]["auroc"] < seen["home"]["auroc"] - 0.02, "question 5"
