"""A fake receiver for every test that wants one."""

import pytest

from telefine_assets_tests.observing.receiving import receiving


@pytest.fixture
def receiver():
    """A fake collector, Sentry and Pushgateway."""
    with receiving() as fake:
        yield fake
