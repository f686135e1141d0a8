"""MLflow stores, and servers of them, for all tests here: a migrated, empty one takes seconds to make."""

import sqlite3
from types import SimpleNamespace

import pytest

from telefine_assets.traces.sources import api_patience
from telefine_assets.traces.sources.api import ApiSource
from telefine_assets_tests.traces.mlflow_server import served
from telefine_assets_tests.traces.mlflow_store import copy_store, fill
from telefine_assets_tests.traces.sources import rich_store
from telefine_assets_tests.traces.sources.reading import COUNT
from telefine_assets_tests.traces.sources.rich_store import START


@pytest.fixture(scope="module")
def rich(empty_template, tmp_path_factory):
    """A store with a trace of every kind, and a server of it."""
    folder = tmp_path_factory.mktemp("rich")
    uri = copy_store(empty_template, folder)
    ids = rich_store.make(uri)
    with served(uri, folder) as server:
        yield SimpleNamespace(uri=uri, http=server.uri, ids=ids, folder=folder)


@pytest.fixture(scope="module")
def template(empty_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    fill(copy_store(empty_template, folder), COUNT, START)
    return folder


@pytest.fixture
def store(template, tmp_path):
    return SimpleNamespace(uri=copy_store(template, tmp_path), file=tmp_path / "mlflow.db")


@pytest.fixture(scope="module")
def live(template, tmp_path_factory):
    """A server whose store a test may change."""
    folder = tmp_path_factory.mktemp("live")
    uri = copy_store(template, folder)
    with served(uri, folder) as server:
        yield SimpleNamespace(uri=uri, http=server.uri, file=folder / "mlflow.db", template=template / "mlflow.db")


@pytest.fixture
def fresh(live):
    """The server with its store as it was at first."""
    with sqlite3.connect(live.template) as first, sqlite3.connect(live.file, timeout=30) as now:
        first.backup(now)
    return live


@pytest.fixture(params=["client", "http"])
def source(rich, request):
    return ApiSource(rich.uri if request.param == "client" else rich.http)


@pytest.fixture
def hurried(monkeypatch):
    """Retries follow each other at once."""
    monkeypatch.setattr(api_patience, "_FIRST_SECONDS", 0.001)
    monkeypatch.setattr(api_patience, "_LONGEST_SECONDS", 0.01)
