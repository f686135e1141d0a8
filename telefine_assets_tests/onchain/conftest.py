"""The chain, and a home on it."""

import pytest

from telefine_assets_tests.onchain.chain_home import ChainHome, run
from telefine_assets_tests.onchain.evm import Evm


@pytest.fixture
def evm():
    """A chain of its own."""
    return Evm()


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Where the first home leaves a copy of what it attested and paid."""
    return tmp_path_factory.mktemp("attested") / "home"


@pytest.fixture
def home(tmp_path, own_environment, monkeypatch, evm, template):
    """A paid home on the chain; its node is served for as long as the test runs."""
    made = ChainHome(tmp_path, monkeypatch, evm, template)
    with made.serving() as url:
        monkeypatch.setenv("TELEFINE_CHAIN__RPC_URL", url)
        yield made


@pytest.fixture
def chain(home, capsys):
    """Run ``telefine chain``."""
    return lambda *arguments: run(capsys, "chain", *arguments)
