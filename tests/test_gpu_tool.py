"""`tools.gpu` changes how a step is carried out and not what it computes; without a GPU all but the recording runs."""

import json
from functools import partial

import pandas as pd
import pytest
import torch

from medgen_utils import clinic, training
from medgen_utils.benchmark import protocol
from medgen_utils.benchmark.entries import PRIMARY, contender_of
from medgen_utils.data_augmentation import intensity_jitter
from medgen_utils.domains import split
from medgen_utils.feature_alignment import CORAL
from medgen_utils.machine import with_one_thread
from medgen_utils.meta_learning import MLDG
from tools import gpu

RUN = {"problem": "clinic: acquisition", "method": "ERM", "left_out": ["new hospital"], "trial": 1, "seed": 0}


def clinic_of(n: int = 20):
    return clinic.make_clinic(clinic.acquisition_hospitals(), n=n, seed=0)


@pytest.mark.parametrize("augment", [None, training.flips, training.flips_and_turns, partial(intensity_jitter)])
@pytest.mark.parametrize("batch_size", [9, 24])
def test_images_of_a_step_are_the_same_together(augment, batch_size):
    dataset = clinic_of()
    ways = []
    for ready in (training.ready, gpu.ready_together):
        generator = torch.Generator().manual_seed(3)
        draws = training.draw_batches(dataset, batch_size, True, generator)
        ways.append([ready(next(draws), augment, generator, "cpu") for _ in range(3)])
    for apart, together in zip(*ways, strict=True):
        for one, other in zip(apart, together, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
            assert other.x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", gpu.ONE_PASS)
def test_what_is_recorded_meets_the_layers_once_a_step_with_its_own_weights(name):
    contender = contender_of(name)
    train, _, _ = split(clinic_of(), 0, (1.0, 0.0, 0.0))
    model = gpu.build_recorded(contender.pretrain or contender.algorithm, train, seed=0, width=4)
    replay, seen = model.featurizer.layers.forward, []
    weights = {id(p) for p in model.featurizer.layers.parameters()}

    def watched(x):
        assert {id(p) for p in replay.layers.parameters()} == weights
        if replay.layers.training and torch.is_grad_enabled():
            seen.append(x.shape)
        return replay.layers.__class__.forward(replay.layers, x)

    replay.plain = watched
    training.fit(model, train, steps=3, batch_size=24, seed=0, device="cpu")
    assert len(seen) == 3, "a recorded network may be replayed once between two steps of the optimiser"
    assert len(set(seen)) == 1


def test_the_others_of_the_primary_family_are_known():
    assert set(PRIMARY) - set(gpu.RECORDED) == {"MixStyle"}


def test_a_run_comes_out_as_without():
    run = gpu.task_of(RUN | {"steps": 12}), "cpu"
    plain = with_one_thread(protocol.run_task, run)  # as workers do: several sum in another order
    with gpu.faster():
        fast = with_one_thread(protocol.run_task, run)
        ways = [training.ready, CORAL.alignment, MLDG.update]
        assert ways == [gpu.ready_together, gpu.align_together, gpu.look_ahead_in_place]
    assert training.ready is not gpu.ready_together
    assert plain["auroc"].to_numpy() == pytest.approx(fast["auroc"].to_numpy(), abs=1e-4)


@pytest.mark.parametrize("n_domains", [1, 2, 3, 5])
def test_pairs_of_domains_together_are_what_they_are_apart(n_domains):
    generator = torch.Generator().manual_seed(n_domains)
    z = list(torch.randn(n_domains, 7, 4, generator=generator, dtype=torch.float64).requires_grad_())
    model = CORAL(torch.nn.Identity(), torch.nn.Linear(4, 2), n_domains, weight=0.7)
    both = [alignment(model, z, z, z) for alignment in (CORAL.alignment, gpu.align_together)]
    torch.testing.assert_close(*both)
    if n_domains > 1:
        torch.testing.assert_close(*(torch.cat(torch.autograd.grad(value, z, retain_graph=True)) for value in both))


@pytest.mark.parametrize("n_domains", [2, 3, 5])
def test_the_look_ahead_in_place_leads_where_the_functional_one_does(n_domains):
    dataset = clinic_of()
    weights = []
    for update in (MLDG.update, gpu.look_ahead_in_place):
        model = training.build(MLDG, dataset, seed=0, width=4, hyperparameters={"beta": 0.6})
        model.prepare(total_steps=4)
        draws = training.draw_batches(dataset, 32, True, torch.Generator().manual_seed(1))
        for _ in range(4):
            batches = next(draws)
            update(model, [*batches, *batches][:n_domains])
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(*weights, rtol=1e-3, atol=1e-4)


def test_each_run_is_taken_once_and_written_whole(tmp_path, capsys):
    tasks = [RUN | {"steps": 3, "trial": trial} for trial in range(3)] + [RUN | {"steps": 3, "left_out": ["nowhere"]}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu.training, "training_device", lambda: "cpu")
        for number in range(2):
            gpu.work(tasks, tmp_path, number, end=float("inf"))
        gpu.work(tasks, tmp_path, 2, end=0)
    rows = pd.concat([pd.read_csv(path) for path in tmp_path.glob("rows-*.csv")])
    assert sorted(rows.loc[rows["split"] == "test", "trial"]) == [0, 1, 2]
    assert (rows["rows"] == 2).all() and "nowhere" in capsys.readouterr().out


def test_the_command_starts_its_workers(tmp_path, monkeypatch):
    started = []

    class Started:
        def __init__(self, command):
            started.append(command)

        def wait(self):
            pass

    monkeypatch.setattr(gpu.subprocess, "Popen", Started)
    (tmp_path / "tasks.json").write_text(json.dumps([RUN]))
    gpu.main(str(tmp_path / "tasks.json"), str(tmp_path / "out"), "3", "5")
    assert [command[-2] for command in started] == ["0", "1", "2"]
