"""Runs go one after the other here: a second process would import everything again, for a second of training."""

import pytest

from medgen_utils.deployment import hospitals, inventing, sharing
from medgen_utils.machine import threads


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    for module in (hospitals, inventing, sharing):
        monkeypatch.setattr(module, "map_runs", lambda function, tasks: [function(*task) for task in tasks])
    with threads(1):
        yield
