"""One deployment with everything in it for all tests that only read, and empty ones for the others."""

import os

import pytest

from telefine_assets_tests.api.served import Served, paid_home, small_home


@pytest.fixture(scope="session")
def paid(tmp_path_factory):
    """An attested and paid deployment."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [each for each in os.environ if each.startswith("TELEFINE_")]:
            patched.delenv(name)
        return paid_home(tmp_path_factory.mktemp("paid"))


@pytest.fixture(scope="session")
def full(paid):
    """The API of that deployment. Tests of it change nothing."""
    return Served(paid.settings)


@pytest.fixture(scope="session")
def reader(full):
    return full.key("read")


@pytest.fixture
def serve(tmp_path, own_environment):
    """Makes APIs of empty deployments, with changes to ``api``."""
    return lambda **api: Served(small_home(tmp_path), **api)


@pytest.fixture
def served(serve):
    """The API of an empty deployment."""
    return serve()
