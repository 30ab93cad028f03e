"""What is common to the pages of the docs: the runs on them draw no figures."""

import pytest

from undrawn import undrawn


@pytest.fixture(scope="module", autouse=True)
def _undrawn():
    with undrawn():
        yield
