"""What is tried again, what is told of, and what stands."""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.automation.failure_sensors import failure_of, failure_sensors, standing_in
from telefine_assets.automation.failures import FailedRun, Failure, classify, standing, tries_again
from telefine_assets.automation.tags import ASKED_BY, ATTEMPT, FAILURE, PROGRAM, RETRY_OF
from telefine_assets.errors import TelefineError
from telefine_assets.lm.budget import Unreachable
from telefine_assets.settings.automation import AutomationSettings

UNREACHABLE = [("DagsterExecutionStepExecutionError", "Error"), ("Unreachable", "no answer")]


def bucket(code, over="OSError"):
    """What s3fs raises of an answer of the bucket."""
    return [
        (over, "[Errno 16] x"),
        ("ClientError", f"An error occurred ({code}) when calling the PutObject operation: x"),
    ]


WRONG = [("DagsterExecutionStepExecutionError", "Error"), ("CleaningError", "no such field")]
FULL = [("DagsterExecutionStepExecutionError", "Error"), ("OSError", "[Errno 28] No space left on device")]
INTERRUPTED = [("DagsterExecutionInterruptedError", "")]
DAY = "2026-11-02"


@pytest.mark.parametrize(
    ("errors", "reason", "message", "kind"),
    [
        ([UNREACHABLE], "STEP_FAILURE", "", "transient"),
        ([WRONG], "STEP_FAILURE", "", "permanent"),
        ([UNREACHABLE, WRONG], "STEP_FAILURE", "", "permanent"),
        ([bucket("SlowDown")], "STEP_FAILURE", "", "transient"),
        ([bucket("InternalError")], "STEP_FAILURE", "", "transient"),
        ([bucket("503")], "STEP_FAILURE", "", "transient"),
        ([bucket("InvalidDigest")], "STEP_FAILURE", "", "permanent"),
        ([bucket("503", "CleaningError")], "STEP_FAILURE", "", "permanent"),
        ([FULL], "STEP_FAILURE", "", "permanent"),
        ([], None, "the process died", "transient"),
        ([], "UNKNOWN", "", "transient"),
        ([], "JOB_INITIALIZATION_FAILURE", "no such resource", "permanent"),
        ([], None, "Exceeded maximum runtime of 60 seconds", "permanent"),
        ([INTERRUPTED], None, "Exceeded maximum runtime of 60 seconds", "permanent"),
        ([INTERRUPTED], "STEP_FAILURE", "", "transient"),
    ],
)
def test_only_faults_of_the_infrastructure_are_transient(errors, reason, message, kind):
    assert classify(errors, reason, message).kind == kind


@pytest.mark.parametrize(
    "name",
    ["EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "gaierror"],
)
def test_a_bucket_that_cannot_be_reached_is_tried_again(name):
    step = ("DagsterExecutionStepExecutionError", "Error")
    assert classify([[step, (name, "no answer")]], "STEP_FAILURE", "").kind == "transient"


def test_the_innermost_cause_is_told():
    assert classify([WRONG], None, "").what == "CleaningError: no such field"


def test_of_several_errors_one_that_is_no_checks_is_told():
    check = [("DagsterAssetCheckFailedError", "1 blocking asset check failed")]
    assert classify([check], None, "").of_a_check
    assert classify([check, WRONG], None, "").what == "CleaningError: no such field"


@given(st.integers(0, 10), st.sampled_from(["transient", "permanent"]))
def test_tries_are_bounded(most, kind):
    attempts = 1
    while tries_again(Failure(kind, ""), attempts, most):
        attempts += 1
    assert attempts == (most + 1 if kind == "transient" else 1)


def test_a_failure_stands_until_another_run_has_made_every_day():
    run = FailedRun("r1", "tickets", "traces", ("a", "b"), 100)
    made = {("tickets", "traces", "a"): (150, "r2"), ("tickets", "traces", "b"): (150, "r2")}
    assert standing([run], made) == []
    assert standing([run], {}) == [run]
    assert standing([run], made | {("tickets", "traces", "b"): (99, "r0")}) == [run]
    assert standing([run], made | {("tickets", "traces", "b"): (150, "r1")}) == [run]


class Told(list):
    """A notifier that remembers."""

    def notify(self, alert):
        self.append(alert)


def made_to_fail(error):
    """A line of one asset that fails."""

    @dg.asset(key=["tickets", "traces"], partitions_def=dg.DailyPartitionsDefinition(DAY))
    def traces():
        if error is not None:
            raise error

    return traces


def ran(instance, error, **tags):
    """A run of that line, and what the sensor does about it."""
    asset = made_to_fail(error)
    job = dg.define_asset_job("tickets_line", [asset])
    defs = dg.Definitions([asset], jobs=[job])
    resolved = defs.resolve_job_def("tickets_line")
    result = resolved.execute_in_process(
        instance=instance, partition_key=DAY, tags=tags, raise_on_error=False, asset_selection=[asset.key]
    )
    told = Told()
    if result.success:
        return result, None, told
    sensor = failure_sensors([], AutomationSettings(max_retries=2), [job], told)[0]
    (event,) = [each for each in result.all_events if each.event_type == dg.DagsterEventType.RUN_FAILURE]
    context = dg.build_run_status_sensor_context("telefine_failed_runs", event, instance, result.dagster_run)
    return result, sensor(context.for_run_failure()), told


ASKED = {PROGRAM: "tickets", ASKED_BY: "tickets_schedule"}


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


def test_a_transient_failure_is_tried_again_as_it_was_and_nobody_is_bothered(instance):
    result, answer, told = ran(instance, Unreachable("no answer"), **ASKED)
    assert isinstance(answer, dg.RunRequest)
    assert (answer.job_name, answer.partition_key) == ("tickets_line", DAY)
    assert [key.path for key in answer.asset_selection] == [["tickets", "traces"]]
    assert {ATTEMPT: "2", RETRY_OF: result.run_id, **ASKED}.items() <= answer.tags.items()
    assert FAILURE not in answer.tags
    assert told == []


@pytest.mark.parametrize(
    ("error", "tags"),
    [
        (TelefineError("a field is missing"), ASKED),
        (Unreachable("no answer"), {**ASKED, ATTEMPT: "3"}),
        (Unreachable("no answer"), {PROGRAM: "tickets"}),
    ],
)
def test_what_is_permanent_or_was_tried_often_enough_or_is_a_persons_is_told_of(instance, error, tags):
    result, answer, told = ran(instance, error, **tags)
    assert isinstance(answer, dg.SkipReason)
    (notice,) = told
    assert notice.program == "tickets"
    assert str(error) in notice.text
    assert result.run_id in notice.text
    assert f"telefine run --program tickets --day {DAY}" in notice.cure or PROGRAM not in tags
    assert str(error) in instance.get_run_by_id(result.run_id).tags[FAILURE]


def test_failures_that_stand_are_found_until_they_are_made(instance):
    from datetime import UTC, datetime, timedelta

    since = datetime.now(UTC) - timedelta(days=1)
    result, *_ = ran(instance, TelefineError("a field is missing"), **ASKED)
    assert [(each.run_id, each.days) for each in standing_in(instance, ["tickets"], since)] == [(result.run_id, (DAY,))]
    assert failure_of(instance, instance.get_run_by_id(result.run_id), "").kind == "permanent"
    ran(instance, None, **ASKED)
    assert standing_in(instance, ["tickets"], since) == []


def test_once_a_day_what_stands_is_told(instance):
    from types import SimpleNamespace

    ran(instance, TelefineError("a field is missing"), **ASKED)
    told = Told()
    sensor = failure_sensors([SimpleNamespace(name="tickets")], AutomationSettings(), [], told)[1]
    said = sensor(dg.build_sensor_context(instance=instance))
    assert "1 failure stands" in said.skip_message
    assert [alert.kind for alert in told] == ["standing_failures"]
    sensor(dg.build_sensor_context(instance=instance))
    assert len({alert.key for alert in told}) == 1
