import pytest

from medgen_utils.clinic import acquisition_hospitals, make_clinic


@pytest.fixture(scope="module")
def dataset():
    return make_clinic(acquisition_hospitals()[:3], n=20, seed=0)
