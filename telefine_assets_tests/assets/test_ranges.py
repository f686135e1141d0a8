"""Several days in one run: the same as one run for each, and no day is lost when a later one fails."""

import sqlite3

import dagster as dg
import pytest

from telefine_assets.partitions import bounds_ms
from telefine_assets_tests.traces.deployment import DAYS, FIRST, MIDDLE, Deployment, three_days


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return three_days(tmp_path_factory.mktemp("template"))


def events(instance, stage):
    """Materialisations of a stage, newest first."""
    found = instance.fetch_materializations(dg.AssetKey(["tickets", stage]), limit=50).records
    return [(each.partition_key, each.asset_materialization) for each in found]


def test_a_range_is_the_same_as_its_days(template, tmp_path):
    whole, single = Deployment(template, tmp_path / "a"), Deployment(template, tmp_path / "b")
    with dg.instance_for_test() as instance:
        assert whole.run(instance, *DAYS).success
    with dg.instance_for_test() as instance:
        assert all(single.run(instance, day).success for day in DAYS)
    assert whole.files() == single.files()
    assert {f"tables/tickets/cleaned_traces/{day}.parquet" for day in DAYS} <= set(whole.files())


def test_every_day_of_a_range_has_its_own_numbers(template, tmp_path):
    deployment = Deployment(template, tmp_path)
    with dg.instance_for_test() as instance:
        result = deployment.run(instance, *DAYS)
        last = dict(events(instance, "traces")[: len(DAYS)])
        versions = {each.tags["dagster/data_version"] for _, each in events(instance, "traces")[len(DAYS) :]}
    assert set(last) == set(DAYS)
    assert [last[day].metadata["dagster/row_count"].value for day in DAYS] == [100, 100, 100]
    assert len({each.metadata["sha256"].value for each in last.values()}) == 3
    assert versions == {each.metadata["sha256"].value for each in last.values()}
    checks = result.get_asset_check_evaluations()
    assert checks
    assert all(each.passed for each in checks if each.blocking)
    assert {each.metadata["days"].value for each in checks if each.check_name == "nothing_is_lost"} == {3}


def test_a_day_that_fails_loses_none_before_it(template, tmp_path):
    deployment = Deployment(template, tmp_path)
    with sqlite3.connect(deployment.home / "mlflow.db") as connection:
        # SQLite keeps any value in any column.
        connection.execute(
            "UPDATE trace_info SET execution_time_ms = 'long' WHERE timestamp_ms = ?", [bounds_ms(MIDDLE)[0]]
        )
    with dg.instance_for_test() as instance:
        result = deployment.run(instance, *DAYS, raise_on_error=False)
        assert not result.success
        (failed,) = [each for each in result.all_events if each.is_step_failure and "traces" in each.step_key][:1]
        assert "wrong type among the info" in str(failed.step_failure_data.error)
        assert [day for day, _ in events(instance, "traces")] == [FIRST]
    assert {name for name in deployment.files() if "/traces/" in name} == {f"tables/tickets/traces/{FIRST}.parquet"}
