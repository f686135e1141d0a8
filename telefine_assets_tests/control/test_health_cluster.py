"""What ``telefine init --profile cluster`` writes, and what the doctor says of a cluster that is not whole."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from telefine_assets.cli.main import main
from telefine_assets.control import health_cluster, worker
from telefine_assets.control.health import Broken, Health, Skipped, examine
from telefine_assets.control.health_cluster import CLUSTER, shared, workers
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings

NOBODY = "redis://127.0.0.1:9/0"


@pytest.fixture
def written(tmp_path: Path, own_environment: None, capsys: pytest.CaptureFixture[str]) -> Path:
    with pytest.raises(SystemExit) as caught:
        main(["init", str(tmp_path / "new"), "--profile", "cluster", "--json"])
    assert caught.value.code == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 5
    return tmp_path / "new"


@pytest.fixture
def launched_by_celery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes Dagster's instance, whose launcher is Celery's; its storage is in a file."""

    def make(**config: str) -> None:
        launcher = {"module": "dagster_celery.launcher", "class": "CeleryRunLauncher", "config": config}
        (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher}))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    return make


@pytest.fixture
def settings(load: Callable[..., Settings]) -> Settings:
    return load()


def test_init_writes_a_profile_whose_addresses_are_all_named_and_none_is_in_a_file(written: Path) -> None:
    clustered, alone = load_settings(written / "telefine.yaml", "cluster"), load_settings(written / "telefine.yaml")
    assert (clustered.store.uri, clustered.mlflow.artifacts) == ("s3://telefine/store", "s3://telefine/mlflow")
    assert clustered.automation.watch_failures and not alone.automation.watch_failures
    assert alone.store.uri == str(written / ".telefine" / "store")
    dagster = (written / ".telefine" / "dagster" / "dagster.yaml").read_text()
    asked = set(re.findall(r"\{env: (\w+)\}", dagster))
    assert asked == {"DAGSTER_POSTGRES_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}
    named = set(re.findall(r"^(\w+)=", (written / ".env.example").read_text(), re.MULTILINE))
    assert asked | {"TELEFINE_PROFILE", "TELEFINE_LEDGER__URL", "TELEFINE_MLFLOW__TRACKING_URI"} <= named
    assert "://" not in dagster


def test_a_server_decides_where_its_files_go_unless_the_settings_say_so(load: Callable[..., Settings]) -> None:
    server = {"mlflow/tracking_uri": "http://127.0.0.1:5000"}
    assert load(server).mlflow.artifacts == ""
    assert load(server | {"mlflow/artifacts": "s3://b/mlflow"}).mlflow.artifacts == "s3://b/mlflow"
    found = load({"mlflow/artifacts": "files"})
    assert Path(found.mlflow.artifacts) == found.home.parent / "files"
    assert Path(load().mlflow.artifacts) == found.home / "mlflow-artifacts"


def test_what_is_on_one_disk_is_named(settings: Settings, launched_by_celery: Callable[..., None]) -> None:
    launched_by_celery(broker=NOBODY, backend=NOBODY)
    with pytest.raises(Broken) as caught:
        shared(settings)
    named = str(caught.value).partition(": ")[2].split(", ")
    places = ["store.uri", "mlflow.artifacts", "ledger.url", "mlflow.tracking_uri", "storage in dagster.yaml"]
    assert named == places
    assert "TELEFINE_PROFILE=cluster" in caught.value.cure


def test_a_result_backend_that_only_its_own_process_can_ask_is_none(
    settings: Settings, launched_by_celery: Callable[..., None]
) -> None:
    launched_by_celery(broker=NOBODY)
    with pytest.raises(Broken, match="rpc:// tells nobody of tasks that others began"):
        workers(settings)


def test_a_workers_tasks_give_signs_of_life(
    launched_by_celery: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched_by_celery(broker=NOBODY, backend=NOBODY)
    given: list[object] = []
    monkeypatch.setattr(worker, "give_signs", given.append)
    worker.app_of_instance.cache_clear()
    try:
        assert given == [worker.app] == [worker.app_of_instance()]
    finally:
        worker.app_of_instance.cache_clear()


def test_a_result_backend_that_holds_no_signs_of_life_is_told(
    settings: Settings, launched_by_celery: Callable[..., None]
) -> None:
    launched_by_celery(broker=NOBODY, backend="db+sqlite://")
    with pytest.raises(Broken, match="is not Redis, and holds no signs of life"):
        workers(settings)


def test_two_workers_of_one_name_are_told(
    settings: Settings, launched_by_celery: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched_by_celery(broker=NOBODY, backend=NOBODY)
    monkeypatch.setattr(health_cluster, "replies_of", lambda _: [("celery@a", []), ("one@a", []), ("celery@a", ["x"])])
    with pytest.raises(Broken, match=r"several workers have the same name: celery@a$") as caught:
        workers(settings)
    assert "-n one@%h" in caught.value.cure


def test_a_broker_that_is_away_is_told_with_its_cure(
    settings: Settings, launched_by_celery: Callable[..., None]
) -> None:
    launched_by_celery(broker=NOBODY, backend=NOBODY)
    (found,) = examine(settings, CLUSTER[:1])
    assert (found.health, "refused" in found.said) == (Health.BROKEN, True), found
    assert "CELERY_BROKER_URL" in found.cure


def test_on_one_machine_there_is_nothing_to_check(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    for check in CLUSTER:
        with pytest.raises(Skipped):
            check.look(settings)
