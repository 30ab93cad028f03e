"""What is common to the pages of the docs: their runs are brief."""

import pytest

from brief import brief


@pytest.fixture(scope="module", autouse=True)
def _brief():
    with brief():
        yield
