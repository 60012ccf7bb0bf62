"""Runs side by side give what they give one by one; bars, threads and devices are asked for in one place."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from medgen_utils import machine


def dropped_out(seed: int, n: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return nn.functional.dropout(torch.ones(n)).cumsum(0)


def threads(_: int) -> int:
    return torch.get_num_threads()


def test_runs_side_by_side_are_those_one_by_one_in_the_order_of_the_tasks():
    tasks = [(seed, 20) for seed in range(4)]
    expected = [dropped_out(*task) for task in tasks]
    for n_jobs in (1, 2):
        found = machine.map_runs(dropped_out, tasks, n_jobs=n_jobs)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_runs_come_as_they_end_where_no_order_is_asked_for():
    results = machine.run_side_by_side(dropped_out, [(seed, 5) for seed in range(3)], n_jobs=1, ordered=False)
    assert len(next(results)) == 5
    assert len(list(results)) == 2


def test_every_run_has_one_thread_and_the_threads_come_back():
    before = torch.get_num_threads()
    with machine.threads(2):  # else, where the environment says 1, nothing would be seen
        assert machine.map_runs(threads, [(0,), (1,)], n_jobs=1) == [1, 1]
        assert torch.get_num_threads() == 2
    with pytest.raises(RuntimeError, match="inside"), machine.threads(1):
        assert torch.get_num_threads() == 1
        raise RuntimeError("inside")
    assert torch.get_num_threads() == before


def test_runs_on_the_one_gpu_follow_each_other(monkeypatch):
    asked = []

    class Recorded:
        def __init__(self, n_jobs, **settings):
            asked.append(n_jobs)

        def __call__(self, jobs):
            return (function(*arguments, **settings) for function, arguments, settings in jobs)

    monkeypatch.setattr(machine.joblib, "Parallel", Recorded)
    monkeypatch.setattr(machine.joblib, "cpu_count", lambda: 6)
    for device in ("cuda", "cpu"):
        list(machine.run_side_by_side(threads, [(0,)], device=device))
    assert asked == [1, 6]


@pytest.mark.parametrize(("variable", "shown"), [("MEDGEN_STATIC", False), ("PYTEST_CURRENT_TEST", False), ("", True)])
def test_bars_are_for_persons(monkeypatch, variable, shown):
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.delenv("MEDGEN_STATIC", raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    assert machine.show_progress() is shown
    bar = machine.progress_bar(range(3), title="runs")
    assert bar.disable is not shown
    assert list(bar) == [0, 1, 2]


def test_a_device_has_a_name():
    assert machine.device_name("cpu").endswith("cores")


def test_batches_are_put_together_and_the_mode_comes_back_after_an_error():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    x = torch.rand(7, 1, 6, 6)
    found = machine.in_batches(model, model, x, batch_size=3)
    assert model.training
    torch.testing.assert_close(found, model.eval()(x).detach())
    with pytest.raises(RuntimeError):
        machine.in_batches(model.train(), model, torch.rand(2, 3, 6, 6))
    assert model.training


def test_what_is_no_module_is_taken_as_it_is():
    x = torch.rand(5, 1, 2, 2)
    assert torch.equal(machine.in_batches(object(), lambda part: part + 1, x, batch_size=2), x + 1)


def test_a_time_to_wait_has_the_precision_a_person_needs():
    words = [machine.in_words(seconds) for seconds in (0.2, 40, 700, 9000)]
    assert words == ["2 seconds", "40 seconds", "12 minutes", "2.5 hours"]


def test_runs_side_by_side_are_one_a_core_or_one_on_a_gpu():
    assert machine.jobs_of(3) == 3 and machine.jobs_of(device="cuda:0") == 1
    assert machine.jobs_of(device="cpu") == machine.joblib.cpu_count()


FAULTS = """
import resource, sys
import torch
from medgen_utils import machine
kept = machine.keep_memory() if sys.argv[1] == "kept" else True
x = torch.ones(10, 1024, 1024)
for step in range(30):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt if step == 20 else before if step else 0
    x = x + 1
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, x.mean().item())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of Linux's C library")
def test_kept_memory_is_not_fetched_again():
    found = {}
    for name in ("kept", "given back"):
        run = subprocess.run([sys.executable, "-c", FAULTS, name], capture_output=True, text=True, check=True)
        done, faults, mean = run.stdout.split()
        if done == "False":
            pytest.skip("another C library")
        found[name] = int(faults)
        assert float(mean) == 31
    assert found["kept"] < found["given back"] / 3


def test_elsewhere_than_on_linux_no_memory_is_kept(monkeypatch):
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    assert machine.keep_memory.__wrapped__() is False
