"""A migrated, empty MLflow store for all tests here: making one takes seconds."""

import pytest

from telefine_assets_tests.traces.mlflow_store import empty_store


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory):
    """Folder of an empty store with one experiment, to be copied."""
    folder = tmp_path_factory.mktemp("empty-mlflow")
    empty_store(folder)
    return folder
