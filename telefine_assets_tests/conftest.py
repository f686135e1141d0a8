"""Fixtures that tests of several folders share."""

import os
import sys
from collections.abc import Iterator

import pytest
import yaml

from telefine_assets_tests.knn_lm import KnnLm, knn_lm
from telefine_assets_tests.small_settings import smallest


@pytest.fixture(autouse=True)
def no_instance_of_another_test() -> Iterator[None]:
    """Definitions are loaded as in a new process.

    Two instances of Dagster that are closed in the order in which they were opened leave the first one behind in the
    context, and whoever loads definitions next, maybe in a test of another folder, asks an instance that is gone.
    """
    storages = sys.modules.get("dagster._core.storage.defs_state.base")
    if storages is None:
        yield
        return
    with storages.set_defs_state_storage(None):
        yield


@pytest.fixture
def knn() -> Iterator[KnnLm]:
    """The stand-in language model, without faults until a test asks for some."""
    with knn_lm() as lm:
        yield lm


@pytest.fixture
def own_environment(monkeypatch):
    """No TELEFINE_* variable of whoever runs the tests."""
    for name in [each for each in os.environ if each.upper().startswith("TELEFINE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path, own_environment):
    """Load the smallest settings with ``changes`` (``group/key`` -> value) made to the file."""
    from telefine_assets.settings.loading import load_settings

    def load(changes=None, profile=None):
        values = smallest()
        for key, value in (changes or {}).items():
            *groups, last = key.split("/")
            group = values
            for each in groups:
                group = group.setdefault(each, {})
            group[last] = value
        (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
        return load_settings(tmp_path / "telefine.yaml", profile)

    return load


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory):
    """Folder of an MLflow store, migrated and empty but for one experiment, to be copied."""
    from telefine_assets_tests.traces.mlflow_store import empty_store

    folder = tmp_path_factory.mktemp("empty-mlflow")
    empty_store(folder)
    return folder
