from collections.abc import Iterator

import pytest

from explorer.export import FOLDER
from tests.explorer.examples import visit


@pytest.fixture(scope="module")
def explorer(browser) -> Iterator:
    """The explorer alone, from the disk."""
    page = visit(browser, (FOLDER / "index.html").as_uri())
    yield page
    page.context.close()
