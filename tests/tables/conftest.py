"""What the tests of this folder share: a file of bytes."""

import pytest


@pytest.fixture
def file(tmp_path):
    def write(content: bytes, name: str = "table.csv"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write
