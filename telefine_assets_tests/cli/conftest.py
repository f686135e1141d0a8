"""What the tests of driving a deployment share."""

import pytest

from telefine_assets_tests.control.home import template


@pytest.fixture(scope="session")
def traced(tmp_path_factory):
    """A folder with an MLflow store that holds a few traces, to be copied."""
    return template(tmp_path_factory.mktemp("traced"))
