"""A fresh ledger in a file, as a deployment has it."""

import pytest

from telefine_assets.ledger.connection import Ledger


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/state/ledger.db"


@pytest.fixture
def ledger(url):
    ledger = Ledger(url)
    yield ledger
    ledger.close()
