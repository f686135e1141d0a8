"""Which days must be loaded again."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.partitions import bounds_ms, day_of, days_from
from telefine_assets.traces.changes import changed_days

DAYS = ["2026-11-01", "2026-11-02", "2026-11-03"]


def now(rows, size=2):
    """Fingerprints as a source brings them: ordered by start, in batches."""
    ordered = sorted(rows, key=lambda row: (row[1], row[0]))
    for first in range(0, len(ordered), size):
        ids, times, prints = zip(*ordered[first : first + size], strict=True)
        yield pa.record_batch({"trace_id": ids, "request_time_ms": times, "fingerprint": prints})


def stored(rows, days=DAYS):
    def read(day):
        if day not in days:
            return None
        own = [row for row in rows if day_of(row[1]) == day]
        return pa.table(
            {
                "trace_id": pa.array([row[0] for row in own], pa.string()),
                "fingerprint": pa.array([row[2] for row in own], pa.string()),
            }
        )

    return read


def at(day, ms=0):
    return bounds_ms(day)[0] + ms


def test_nothing_changed_means_no_day():
    rows = [("a", at(DAYS[0]), "1"), ("b", at(DAYS[2], 5), "2")]
    assert list(changed_days(DAYS, now(rows), stored(rows))) == []


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([("a", at(DAYS[1]), "other"), ("b", at(DAYS[1], 1), "2")], (0, 1, 0)),
        ([("a", at(DAYS[1]), "1"), ("b", at(DAYS[1], 1), "2"), ("c", at(DAYS[1], 2), "3")], (1, 0, 0)),
        ([("a", at(DAYS[1]), "1")], (0, 0, 1)),
        ([], (0, 0, 2)),
    ],
)
def test_only_the_day_that_changed_is_named_with_how_it_changed(rows, counts):
    before = [("a", at(DAYS[1]), "1"), ("b", at(DAYS[1], 1), "2")]
    (change,) = changed_days(DAYS, now(rows), stored(before))
    assert (change.day, change.loaded) == (DAYS[1], True)
    assert (change.added, change.changed, change.removed) == counts


def test_a_day_that_was_never_loaded_is_named_as_such():
    rows = [("a", at(DAYS[1]), "1")]
    (change,) = changed_days(DAYS, now(rows), stored([], days=[DAYS[0], DAYS[2]]))
    assert (change.day, change.loaded, change.added, change.samples) == (DAYS[1], False, 1, ("a",))


def test_days_nobody_asked_about_are_left_out():
    rows = [("a", at(DAYS[0]), "1"), ("b", at(DAYS[1]), "2"), ("c", at(DAYS[2]), "3")]
    assert [each.day for each in changed_days([DAYS[0], DAYS[2]], now(rows), stored([]))] == [DAYS[0], DAYS[2]]


ROWS = st.dictionaries(
    st.text("abcdef", min_size=1), st.tuples(st.integers(0, 3 * 86_400_000 - 1), st.sampled_from("12"))
)


@given(ROWS, ROWS, st.integers(1, 4))
def test_exactly_the_days_whose_traces_differ_are_named(before, after, size):
    def rows(found):
        return [(key, at(DAYS[0]) + ms, mark) for key, (ms, mark) in found.items()]

    def by_day(found):
        return {day: {(key, mark) for key, ms, mark in rows(found) if day_of(ms) == day} for day in DAYS}

    differ = [day for day in DAYS if by_day(before)[day] != by_day(after)[day]]
    found = list(changed_days(DAYS, now(rows(after), size), stored(rows(before))))
    assert [each.day for each in found] == differ
    assert all(each.traces for each in found)


def test_days_from_one_to_another_are_whole_and_in_order():
    assert days_from("2026-02-27", "2026-03-01") == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert days_from("2026-03-01", "2026-03-01") == ["2026-03-01"]
