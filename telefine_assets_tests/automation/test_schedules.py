"""The schedule: which days a tick asks for, in the deployment's time zone, and that all is off by default."""

from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from telefine_assets.definitions import build_defs


def tick(loaded, at, stored=()):
    """What one tick of the schedule asks for, with some days loaded before."""
    schedule = build_defs(loaded).get_unresolved_schedule_def("tickets_schedule")
    store = SimpleNamespace(records=SimpleNamespace(days=lambda program, stage: list(stored)))
    return schedule(dg.build_schedule_context(scheduled_execution_time=at, resources={"store": store}))


def spans(requests):
    first, last = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return [(each.tags.get(first, each.partition_key), each.tags.get(last, each.partition_key)) for each in requests]


LOOKBACK = {"programs/tickets/compile/lookback_days": 4}


def test_the_last_complete_day_is_made_after_the_missing_days_of_its_window(load):
    requests = tick(load(LOOKBACK), datetime(2026, 11, 9, 3, tzinfo=UTC), stored=["2026-11-06"])
    assert spans(requests) == [("2026-11-05", "2026-11-05"), ("2026-11-07", "2026-11-07"), ("2026-11-08", "2026-11-08")]
    assert [bool(each.asset_selection) for each in requests] == [True, True, False]
    assert [each.tags.get("dagster/priority") for each in requests] == ["1", "1", None]
    requests = tick(load(LOOKBACK), datetime(2026, 11, 9, 3, tzinfo=UTC))
    assert spans(requests) == [("2026-11-05", "2026-11-07"), ("2026-11-08", "2026-11-08")]


def test_the_day_that_is_not_over_is_never_scheduled(load):
    loaded = load({"partitions/today": True})
    (*_, line) = tick(loaded, datetime(2026, 11, 9, 23, 59, tzinfo=UTC))
    assert line.partition_key == "2026-11-08"
    # Shortly after midnight in Berlin the UTC day before has not ended.
    (*_, line) = tick(loaded, datetime(2026, 11, 10, 0, 30, tzinfo=ZoneInfo("Europe/Berlin")))
    assert line.partition_key == "2026-11-08"


def test_after_the_last_day_it_is_that_one_and_before_the_first_none(load):
    assert isinstance(tick(load(), datetime(2026, 11, 2, 12, tzinfo=UTC)), dg.SkipReason)
    (*_, line) = tick(load({"partitions/end": "2026-11-05"}), datetime(2026, 12, 1, tzinfo=UTC))
    assert line.partition_key == "2026-11-05"


def test_two_ticks_never_share_a_key_and_one_tick_always_does(load):
    loaded = load()
    keys = [tick(loaded, datetime(2026, 11, 9, hour, tzinfo=UTC))[-1].run_key for hour in (3, 3, 4)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("enabled", [False, True])
def test_the_settings_turn_everything_on(load, enabled):
    program = {"traces": {"enabled": enabled}, "late_feedback": {"enabled": enabled}}
    automation = {"follow_up": enabled, "watch_failures": enabled, "standing_failures": {"enabled": enabled}}
    schedule = {"every": "weekly", "timezone": "Europe/Berlin", "enabled": enabled}
    tickets = {"sensors": program, "schedule": schedule, "improvement": {"enabled": enabled}}
    changes = {f"programs/tickets/{name}": group for name, group in tickets.items()}
    defs = build_defs(load({**changes, "automation": automation, "alerts/enabled": enabled}))
    found = {each.name: each.default_status.value for each in [*defs.sensors, *defs.schedules]}
    assert found == dict.fromkeys(
        (
            "tickets_trace_volume",
            "tickets_late_feedback",
            "tickets_follow_up",
            "telefine_failed_runs",
            "telefine_standing_failures",
            "telefine_lost_runs",
            "telefine_alerts",
            "tickets_schedule",
            "tickets_improvement",
        ),
        "RUNNING" if enabled else "STOPPED",
    )
    made, _ = defs.schedules
    assert (made.cron_schedule, made.execution_timezone) == ("0 3 * * 1", "Europe/Berlin")


def test_every_run_has_the_time_limit_of_the_settings(load):
    defs = build_defs(load({"automation": {"run_timeout_minutes": 5}}))
    assert defs.resolve_job_def("tickets_line").tags["dagster/max_runtime"] == "300"
