"""A receiver, and a ledger in each kind of database."""

import pytest

from telefine_assets_tests.alerts.receiver import receiving
from telefine_assets_tests.ledger.conftest import *  # noqa: F403 - its fixtures


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver
