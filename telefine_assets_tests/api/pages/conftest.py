"""One deployment with a story, for all tests of pages that only read."""

import os

import pytest

from telefine_assets_tests.api.pages.told import Told, told_home


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        for name in [each for each in os.environ if each.startswith("TELEFINE_")]:
            patched.delenv(name)
        return told_home(tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def told(home):
    return Told(*home)
