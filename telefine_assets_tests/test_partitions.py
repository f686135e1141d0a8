"""Days: each millisecond belongs to exactly one, and a window never leaves the deployment's days."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.partitions import bounds_ms, daily, window
from telefine_assets.settings.schema import PartitionSettings

DAYS = st.dates(date(1972, 1, 1), date(2200, 1, 1))


def test_a_day_begins_at_midnight_utc():
    assert bounds_ms("1970-01-01") == (0, 86_400_000)
    assert bounds_ms("2026-11-02") == (1_793_577_600_000, 1_793_664_000_000)


@given(st.datetimes(datetime(1972, 1, 1), datetime(2200, 1, 1)))
def test_every_millisecond_is_in_exactly_one_day(moment):
    at = int((moment - datetime(1970, 1, 1)) / timedelta(milliseconds=1))
    around = [(moment.date() + timedelta(days=shift)).isoformat() for shift in (-1, 0, 1)]
    inside = [day for day in around if bounds_ms(day)[0] <= at < bounds_ms(day)[1]]
    assert inside == [moment.date().isoformat()]


@given(DAYS)
def test_days_meet_without_gap_or_overlap_and_are_24_hours_long(day):
    first, end = bounds_ms(day.isoformat())
    assert end == bounds_ms((day + timedelta(days=1)).isoformat())[0]
    assert end - first == 24 * 60 * 60 * 1000


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"])
def test_days_are_utc_days_wherever_the_machine_stands(zone, monkeypatch):
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert bounds_ms("2026-03-08") == (1_772_928_000_000, 1_773_014_400_000)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_window_ends_with_its_day_oldest_first():
    assert window("2026-11-05", 3, date(2026, 11, 1)) == ["2026-11-03", "2026-11-04", "2026-11-05"]


def test_a_window_begins_with_the_first_day_there_is():
    assert window("2026-11-02", 30, date(2026, 11, 1)) == ["2026-11-01", "2026-11-02"]


@given(DAYS, st.integers(1, 400), st.integers(0, 500))
def test_a_window_has_its_length_unless_the_deployment_is_younger(last, lookback, age):
    first = last - timedelta(days=age)
    days = window(last.isoformat(), lookback, first)
    assert len(days) == len(set(days)) == min(lookback, age + 1)
    assert days == sorted(days)
    assert (days[0] >= first.isoformat(), days[-1]) == (True, last.isoformat())


@given(DAYS, st.integers(1, 400))
def test_the_next_days_window_moves_on_by_one_day(last, lookback):
    first = date(1970, 1, 1)
    today = window(last.isoformat(), lookback, first)
    tomorrow = window((last + timedelta(days=1)).isoformat(), lookback, first)
    assert tomorrow[:-1] == today[len(today) + 1 - len(tomorrow) :]


def test_the_daily_partitions_include_the_first_and_the_last_day():
    definition = daily(PartitionSettings(start=date(2026, 11, 2), end=date(2026, 11, 6)))
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert definition.get_partition_keys(now) == [f"2026-11-0{n}" for n in range(2, 7)]


def test_open_ended_partitions_hold_the_days_that_are_over():
    definition = daily(PartitionSettings(start=date(2026, 11, 2)))
    assert definition.get_partition_keys(datetime(2026, 11, 4, 23, 59, tzinfo=UTC)) == ["2026-11-02", "2026-11-03"]


@pytest.mark.parametrize("day", ["2026-03-08", "2026-03-29", "2026-11-01"])
def test_dagsters_days_are_the_same_as_ours_when_clocks_change(day):
    definition = daily(PartitionSettings(start=date(2026, 1, 1)))
    span = definition.time_window_for_partition_key(day)
    assert (int(span.start.timestamp() * 1000), int(span.end.timestamp() * 1000)) == bounds_ms(day)


@pytest.mark.parametrize(("today", "last"), [(False, "2026-11-22"), (True, "2026-11-23")])
def test_the_day_that_is_not_over_is_a_partition_only_if_the_settings_say_so(today, last):
    import time_machine

    with time_machine.travel("2026-11-23T14:00:00Z"):
        assert daily(PartitionSettings(start=date(2026, 11, 2), today=today)).get_last_partition_key() == last
        ended = PartitionSettings(start=date(2026, 11, 2), end=date(2026, 11, 6), today=today)
        assert daily(ended).get_last_partition_key() == "2026-11-06"
