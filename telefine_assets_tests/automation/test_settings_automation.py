"""What a schedule or a sensor may be told; a mistake is named with its key."""

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.settings.automation import AutomationSettings, ScheduleSettings
from telefine_assets_tests.small_settings import mistakes


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"cron": "60 3 * * *"}, "'60' is no minute"),
        ({"cron": "0 24 * * *"}, "'24' is no hour"),
        ({"cron": "0 3 0 * *"}, "'0' is no day of the month"),
        ({"cron": "0 3 * 13 *"}, "'13' is no month"),
        ({"cron": "0 3 * * mo"}, "'mo' is no day of the week"),
        ({"cron": "0 3 * * 5-1"}, "'5-1' is no day of the week"),
        ({"cron": "*/0 3 * * *"}, "'*/0' is no minute"),
        ({"cron": "@daily"}, "five fields"),
        ({"cron": "0  3 * * *"}, "five fields"),
        ({"cron": "0 3 30 2 *"}, "never comes"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"timezone": "../../etc/passwd"}, "no time zone"),
        ({"every": "daily", "cron": "0 3 * * *"}, "not both"),
        ({"every": "hourly"}, "every"),
    ],
)
def test_a_wrong_schedule_is_refused_by_name(load, schedule, said):
    (line,) = mistakes(load, {"programs/tickets/schedule": schedule})
    assert "programs.tickets.schedule" in line
    assert said in line


@pytest.mark.parametrize(
    ("traces", "said"),
    [
        ({"new_traces": None}, "new_traces, after_days or both"),
        ({"need": "both"}, "need: both"),
        ({"new_traces": 0}, "new_traces"),
        ({"min_spacing_hours": float("inf")}, "min_spacing_hours"),
    ],
)
def test_a_sensor_that_could_never_decide_is_refused(load, traces, said):
    (line,) = mistakes(load, {"programs/tickets/sensors": {"traces": traces}})
    assert said in line


def test_all_is_off_until_it_is_turned_on(load):
    loaded = load()
    program = loaded.programs["tickets"]
    assert not program.schedule.enabled
    assert not program.sensors.traces.enabled
    assert not program.sensors.late_feedback.enabled
    assert not loaded.automation.follow_up
    assert not loaded.automation.watch_failures
    assert not loaded.automation.standing_failures.enabled
    assert loaded.automation.run_tags == {}


def test_a_time_limit_is_told_to_dagster_in_seconds():
    assert AutomationSettings(run_timeout_minutes=90).run_tags == {"dagster/max_runtime": "5400"}


@pytest.mark.parametrize(
    ("every", "ticks"), [("daily", "0 3 * * *"), ("weekly", "0 3 * * 1"), ("monthly", "0 3 1 * *"), (None, "0 3 * * *")]
)
def test_words_stand_for_cron(every, ticks):
    assert ScheduleSettings(every=every).ticks == ticks


def _terms(low, high):
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    terms = st.one_of(st.just("*"), numbers.map(str), ranges, st.integers(1, high).map(lambda step: f"*/{step}"))
    return st.lists(terms, min_size=1, max_size=3).map(",".join)


CRON = st.tuples(_terms(0, 59), _terms(0, 23), _terms(1, 31), _terms(1, 12), _terms(0, 7)).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(CRON)
def test_what_is_accepted_ticks_in_dagster(expression):
    try:
        ticks = ScheduleSettings(cron=expression).ticks
    except ValueError:
        return
    schedule = dg.ScheduleDefinition(name="s", cron_schedule=ticks, job_name="j", execution_timezone="Europe/Berlin")
    assert schedule.cron_schedule == expression
