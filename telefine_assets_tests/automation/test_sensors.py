"""The sensors over a real MLflow store and a real Dagster instance."""

import sqlite3
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import time_machine

from telefine_assets.automation.decisions import Cursor
from telefine_assets_tests.automation.deployment import Automated
from telefine_assets_tests.traces.deployment import DAYS, FIRST, LAST, three_days

VOLUME, LATE = "tickets_trace_volume", "tickets_late_feedback"
ON = {"traces": {"enabled": True, "new_traces": 50, "min_spacing_hours": 0}}
CHANGED = [f"(SELECT request_id FROM trace_info ORDER BY timestamp_ms LIMIT 1 OFFSET {at})" for at in (0, 250)]
LOADED = ["traces", "cleaned_traces"]
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return three_days(tmp_path_factory.mktemp("template"))


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def deployment(template, tmp_path):
    return Automated(template, tmp_path, sensors=ON)


def stages(request):
    return [key.path[-1] for key in request.asset_selection]


def said(tick):
    assert not tick.run_requests
    return tick.skip_message


def edit(deployment, *statements):
    with sqlite3.connect(deployment.file) as mlflow:
        for each in statements:
            mlflow.execute(each)


def test_new_traces_are_loaded_in_one_range_and_then_compiled_and_nothing_is_asked_twice(deployment, instance):
    first = deployment.tick(VOLUME, instance)
    (load,) = first.run_requests
    assert stages(load) == LOADED
    assert tuple(load.tags[each] for each in RANGE) == (FIRST, LAST)
    assert deployment.do(instance, load).success
    second = deployment.tick(VOLUME, instance, first.cursor)
    (compile_,) = second.run_requests
    assert (stages(compile_), compile_.partition_key) == (["compiled_programs"], LAST)
    assert "did not succeed" in said(deployment.tick(VOLUME, instance, second.cursor))
    deployment.compiled(instance, LAST, deployment.kept())
    assert "0 new usable traces" in said(deployment.tick(VOLUME, instance, second.cursor))


def test_a_cursor_that_was_reset_asks_for_nothing_that_was_asked(deployment, instance):
    (load,) = deployment.tick(VOLUME, instance).run_requests
    edit(deployment, "UPDATE trace_info SET execution_time_ms = 'long'")
    assert not deployment.do(instance, load, raise_on_error=False).success
    assert "the last run failed" in said(deployment.tick(VOLUME, instance, None))
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
        assert "did not succeed" in said(deployment.tick(VOLUME, instance, None))
        unknown = Cursor().to_json().replace('"version":1', '"version":99')
        assert "did not succeed" in said(deployment.tick(VOLUME, instance, unknown))


def test_what_others_loaded_and_compiled_counts_and_what_failed_a_check_does_not(deployment, instance, monkeypatch):
    deployment.run(instance, *DAYS)
    (compile_,) = deployment.tick(VOLUME, instance).run_requests
    assert compile_.partition_key == LAST
    with monkeypatch.context() as broken:
        broken.setattr("telefine_assets.asset_checks.cleaned_traces._PPM", 0)
        deployment.run(instance, FIRST, raise_on_error=False)
    assert f"{FIRST}: a check or a stage failed" in said(deployment.tick(VOLUME, instance))
    deployment.run(instance, FIRST)
    assert deployment.tick(VOLUME, instance).run_requests
    deployment.compiled(instance, LAST, deployment.kept())
    assert "0 new usable traces and 0 not looked at" in said(deployment.tick(VOLUME, instance))
    deployment.compiled(instance, FIRST, {FIRST: deployment.kept()[FIRST]})
    assert "0 new usable traces" in said(deployment.tick(VOLUME, instance))
    job = deployment.defs.resolve_job_def("tickets_line")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={"telefine/program": "tickets"})
    assert "has not ended" in said(deployment.tick(VOLUME, instance))


def test_late_feedback_asks_for_loaded_days_that_changed_each_time_they_do(deployment, instance):
    assert "nothing changed" in said(deployment.tick(LATE, instance))
    deployment.run(instance, *DAYS)
    assert "nothing changed in 3 days" in said(deployment.tick(LATE, instance))
    keys = []
    for valid, days in ((0, (FIRST, LAST)), (1, (FIRST,)), (0, (FIRST,))):
        traces = CHANGED[: len(days)]
        edit(deployment, *(f"UPDATE assessments SET valid = {valid} WHERE trace_id = {each}" for each in traces))
        requests = deployment.tick(LATE, instance).run_requests
        assert [(each.partition_key, stages(each)) for each in requests] == [(day, LOADED) for day in days]
        asked = [each.run_key for each in requests]
        assert [each.run_key for each in deployment.tick(LATE, instance).run_requests] == asked
        assert all(deployment.do(instance, each).success for each in requests)
        assert "nothing changed" in said(deployment.tick(LATE, instance))
        keys += asked
    assert len(set(keys)) == len(keys)


def test_nothing_is_asked_before_the_first_day_is_over(template, tmp_path, instance):
    early = Automated(template, tmp_path, sensors=ON)
    with time_machine.travel("2026-11-02T12:00:00Z"):
        assert "no day is complete yet" in said(early.tick(VOLUME, instance))
        assert "no day is complete yet" in said(early.tick(LATE, instance))
