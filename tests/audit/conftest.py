"""What the tests of the audit share: predictions as a file."""

import pandas as pd
import pytest


@pytest.fixture
def csv(tmp_path):
    def write(data: pd.DataFrame | str, **options):
        path = tmp_path / "predictions.csv"
        if isinstance(data, str):
            path.write_text(data, encoding="utf-8")
        else:
            data.to_csv(path, index=False, **options)
        return path

    return write
