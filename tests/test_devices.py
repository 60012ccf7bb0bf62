"""Everything runs unchanged on a GPU: every contender of the scoreboard, on a GPU that this machine need not have."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from medgen_utils import clinic, training
from medgen_utils.backbones import SmallCNN
from medgen_utils.benchmark import run
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.data import Batch
from medgen_utils.data_augmentation import compose
from medgen_utils.meta_learning import MLDG, Fish
from medgen_utils.training import ERM, build, draw_batches, fit, flips
from tests.pretend_gpu import PretendGPU, on_gpu

HOSPITALS = clinic.acquisition_hospitals()


@pytest.fixture(scope="module")
def dataset():
    return clinic.make_clinic(HOSPITALS, 16, seed=0, size=28, channels=3)


class Watched(ERM):
    """ERM that notes where the images of a step lie."""

    seen = ()

    def objective(self, batches):
        self.seen = {on_gpu(batch.x) for batch in batches} | {on_gpu(weight) for weight in self.parameters()}
        return super().objective(batches)


def test_training_takes_the_gpu_where_there_is_one_and_comes_back(dataset, monkeypatch):
    with PretendGPU():
        model = build(Watched, dataset, seed=0, width=2)
        fit(model, dataset, steps=2, augment=flips)
        assert model.seen == {False}
        monkeypatch.setattr(training, "training_device", lambda: "cuda")
        fit(model, dataset, steps=2, augment=flips)
        assert model.seen == {True}
        assert not any(on_gpu(weight) for weight in model.parameters())
        fit(model, dataset, steps=2, device="cpu")
        assert model.seen == {False}


WITH_TORCH_FUNC = [contender for contender in CONTENDERS if issubclass(contender.algorithm, MLDG)]
OTHERS = [contender for contender in CONTENDERS if contender not in WITH_TORCH_FUNC]


@pytest.mark.parametrize("contender", OTHERS, ids=lambda contender: contender.name)
def test_every_contender_runs_on_a_gpu_with_the_same_result(contender, dataset):
    augment = compose(flips, contender.augment) if contender.augment else flips
    own = {key: value for key, value in contender.settings(1).items() if key not in contender.strengths}
    options = {"seed": 0, "steps": 2, "width": 2, "augment": augment, "normalize": contender.normalize}
    options |= {"pretrain": contender.pretrain, "sees_target": contender.sees_target, "hyperparameters": own}
    here = run(contender.algorithm, dataset, clinic.NEW_HOSPITAL, **options)
    with PretendGPU():
        there = run(contender.algorithm, dataset, clinic.NEW_HOSPITAL, device="cuda", **options)
    pd.testing.assert_frame_equal(here.drop(columns="seconds"), there.drop(columns="seconds"), rtol=1e-4)


@pytest.mark.parametrize("contender", WITH_TORCH_FUNC, ids=lambda contender: contender.name)
def test_a_step_of_meta_learning_mixes_no_devices(contender):
    """``torch.func`` wraps tensors and loses the marks; torch's own tensors without values check the devices here."""
    mode = FakeTensorMode(shape_env=ShapeEnv())
    mode.allow_scalar_outputs = True
    with mode:
        with torch.device("cuda"):
            model = contender.algorithm(SmallCNN(3, 2), nn.Linear(8, 2), 3)
            batches = [Batch(torch.rand(6, 3, 28, 28), torch.zeros(6).long(), torch.full((6,), d)) for d in range(3)]
        assert model.objective(batches)[0].device.type == "cuda"


def test_statistics_are_measured_where_the_network_is(dataset):
    places = []
    with PretendGPU():
        model = build(Fish, dataset, seed=0, width=2)
        model.featurizer.register_forward_pre_hook(lambda layer, inputs: places.append(on_gpu(inputs[0])))
        fit(model, dataset, steps=2, device="cuda")
        assert all(places), "also at the end, before it comes home"
        model.train().prepare()
        model.update(next(draw_batches(dataset, 16, True, torch.Generator().manual_seed(0))))
        places.clear()
        model.to("cuda").eval()
        assert places == [True]


class Misplaced(ERM):
    """A step with a fault that only a GPU shows."""

    fault = staticmethod(lambda x: x)

    def objective(self, batches):
        loss, log = super().objective(batches)
        return loss + 0 * self.fault(batches[0].x).sum(), log


FAULTS = {
    "mask made on the CPU": lambda x: x * (torch.rand(len(x), 1, 1, 1) < 0.5),
    "index of the GPU on the CPU": lambda x: torch.zeros(4)[torch.arange(2, device=x.device)],
    "generator of the CPU": lambda x: torch.rand(x.shape, generator=torch.Generator(), device=x.device),
    "to NumPy": lambda x: torch.tensor(np.asarray(x.detach()).mean()),
    "joined with the CPU": lambda x: torch.cat([x, torch.zeros_like(x, device="cpu")]),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_the_pretended_gpu_refuses_what_a_real_one_refuses(dataset, fault, monkeypatch):
    monkeypatch.setattr(Misplaced, "fault", staticmethod(fault))
    model = build(Misplaced, dataset, seed=0, width=2)
    fit(model, dataset, steps=1, device="cpu")
    with PretendGPU(), pytest.raises((RuntimeError, TypeError), match=r"same device|generator|numpy"):
        fit(model, dataset, steps=1, device="cuda")


def test_predictions_come_back_from_the_gpu(dataset):
    with PretendGPU():
        model = build(ERM, dataset, seed=0, width=2).to("cuda")
        assert training.predict_probabilities(model, dataset.x).shape == (len(dataset), 2)
        assert not on_gpu(training.extract_features(model, dataset.x))
