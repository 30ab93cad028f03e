"""What is common to the pages of the docs: brief searches, and runs that draw no figures."""

import pytest

from undrawn import undrawn


@pytest.fixture(scope="module", autouse=True)
def _brief():
    with undrawn(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.attacks.ensemble.APGD_STEPS", 5)
        yield
