"""A small sweep, finished and packed, for the tests of the store."""

import pytest

from medgen_utils.benchmark import entries as registry
from medgen_utils.benchmark import evidence, packing, sweep
from tests.benchmark.small import CREW, PROBLEM


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder with a finished sweep and its predictions."""
    folder = tmp_path_factory.mktemp("work")
    sweep(CREW, [PROBLEM], folder / "runs.csv", trials=2, n_jobs=1, predictions=folder / "predictions")
    return folder


@pytest.fixture
def entries(monkeypatch):
    for module in (evidence, registry):
        monkeypatch.setattr(module, "PROBLEMS", (PROBLEM,))
    monkeypatch.setattr(registry, "CONTENDERS", CREW)


@pytest.fixture
def store(work, tmp_path, monkeypatch, entries):
    """The sweep packed, and read instead of the book's store."""
    packing.pack(work / "runs.csv", tmp_path / "store", work / "predictions")
    for module in (evidence, packing):
        monkeypatch.setattr(module, "path_of", lambda file: tmp_path / "store" / file)
    return tmp_path / "store"
