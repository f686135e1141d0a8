"""A pod that launches no runs has no token of Kubernetes: there the launcher cannot be made, and nobody needs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from telefine_assets.automation.celery_runs import celery_of
from telefine_assets.automation.lost_runs import lost_runs
from telefine_assets.control.health import Skipped
from telefine_assets.control.health_cluster import workers
from telefine_assets.control.webserver import _storage_in, storage_of
from telefine_assets.settings.schema import Settings

LAUNCHER = {
    "module": "dagster_k8s",
    "class": "K8sRunLauncher",
    "config": {
        "load_incluster_config": True,
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "/var/lib/telefine/dagster",
        "postgres_password_secret": "telefine-postgres",
    },
}


@contextmanager
def opened(folder: Path, **said: Any) -> Iterator[dg.DagsterInstance]:
    (folder / "dagster.yaml").write_text(yaml.safe_dump({"telemetry": {"enabled": False}, **said}))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def test_nobody_makes_the_launcher_who_launches_nothing(
    tmp_path: Path, load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dagster_k8s", reason="Kubernetes' launcher is not installed")
    with opened(tmp_path, run_launcher=LAUNCHER) as instance:
        with pytest.raises(Exception, match=r"not in cluster|not set|Service"):
            instance.run_launcher.dispose()
        assert (celery_of(instance), lost_runs(instance)) == (None, [])
        assert "run_storage" in storage_of(instance)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(Skipped):
        workers(load())


def test_an_instance_is_named_as_its_webserver_names_it(tmp_path: Path) -> None:
    for name, said in (("default", {}), ("sqlite", {"storage": {"sqlite": {"base_dir": str(tmp_path / "base")}}})):
        (tmp_path / name).mkdir()
        with opened(tmp_path / name, **said) as instance:
            assert storage_of(instance) == _storage_in(instance.info_str())
