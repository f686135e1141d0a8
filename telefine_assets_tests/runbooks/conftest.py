"""A deployment with an attested and paid day, made once; each rehearsal breaks a copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from telefine_assets_tests.knn_lm import KnnLm, knn_lm
from telefine_assets_tests.runbooks.rehearsal import Rehearsed, filled
from telefine_assets_tests.traces.mlflow_store import copy_store


@pytest.fixture(scope="session")
def lm() -> Iterator[KnnLm]:
    with knn_lm() as running:
        yield running


@pytest.fixture(scope="session")
def paid(empty_template: Path, lm: KnnLm, tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """A day that reached DeltaOne, attested, promoted and paid; to be copied."""
    folder = tmp_path_factory.mktemp("paid")
    copy_store(empty_template, folder / "store")
    with pytest.MonkeyPatch.context() as patch:
        made = Rehearsed(folder / "home", filled(folder / "store"), lm.api_base)
        for name, value in made.environment.items():
            patch.setenv(name, value)
        done = made.run("telefine run --day DAY")
        assert done.code == 0, done.output
    return made


@pytest.fixture
def home(paid: Rehearsed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsed:
    """The paid deployment, to be broken."""
    made = paid.copied(tmp_path / "home")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return made
