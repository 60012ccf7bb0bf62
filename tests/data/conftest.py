"""Every test of the data has an empty cache and no MEDGEN_DATA until it asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medgen_utils.data import prepared
from tests.data.publisher import Publisher, real_data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, no MEDGEN_DATA, no waiting between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    monkeypatch.setattr(prepared, "PAUSE", 0.0)
    return tmp_path / "home" / "medgen"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.server.shutdown()
    publisher.server.server_close()


@pytest.fixture
def own(monkeypatch, tmp_path) -> Path:
    """An empty folder as MEDGEN_DATA."""
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def real(monkeypatch):
    """``real(files)``: MEDGEN_DATA at the folder of these real files; a skip that says why where there are none."""

    def point_at(*files: str) -> Path:
        folder = real_data(*files)
        monkeypatch.setenv("MEDGEN_DATA", str(folder))
        return folder

    return point_at
