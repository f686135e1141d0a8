"""When the trace-volume sensor asks: each reason, and what holds whatever happens."""

import json
from dataclasses import dataclass, field, replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.automation.decisions import (
    AFTER_FAILURE_MS,
    DAY_MS,
    HOUR_MS,
    Ask,
    Compiled,
    Cursor,
    Day,
    Seen,
    Wait,
    decide,
    read_cursor,
    stretches,
)
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.automation import TraceVolumeSettings

WINDOW = ("2026-11-02", "2026-11-03", "2026-11-04")
LAST = WINDOW[-1]
NOON = bounds_ms(LAST)[0] + 12 * HOUR_MS
TEN = TraceVolumeSettings(new_traces=10, min_spacing_hours=6)
DATES = st.dates(date(2024, 2, 1), date(2024, 4, 1)).map(str)
ALL_MADE = {day: Day(20, 20, 9, made=1) for day in WINDOW}


def seen(days=ALL_MADE, **more):
    return Seen(LAST, {**ALL_MADE, **days}, **more)


def compiled(hours_ago, **kept):
    before = dict.fromkeys(WINDOW, 9) | {f"2026-11-0{day[1:]}": count for day, count in kept.items()}
    return Compiled(NOON - hours_ago * HOUR_MS, 7, before)


def asked(found, step):
    assert isinstance(found, Ask), found
    assert found.step == step
    return found.days


def waits(found, said):
    assert isinstance(found, Wait), found
    assert said in found.why


def test_enough_usable_traces_are_compiled_on_the_last_day():
    assert asked(decide(seen(), TEN, Cursor(), NOON), "compile") == (LAST,)


def test_usable_traces_that_a_compile_has_seen_do_not_count_again():
    waits(decide(seen(compiled=compiled(24)), TEN, Cursor(), NOON), "0 new usable traces")
    assert asked(decide(seen(compiled=compiled(24, d2=0, d3=8)), TEN, Cursor(), NOON), "compile")
    waits(decide(seen(compiled=compiled(24, d2=0)), TEN, Cursor(), NOON), "9 new usable traces")


def test_only_days_with_unseen_traces_are_loaded_and_the_last_day_if_it_never_was():
    more = {WINDOW[0]: Day(30, 20, 9, made=1)}
    assert asked(decide(seen(more, compiled=compiled(24)), TEN, Cursor(), NOON), "load") == (WINDOW[0],)
    without = {**more, LAST: Day()}
    assert asked(decide(seen(without, compiled=compiled(24)), TEN, Cursor(), NOON), "load") == (WINDOW[0], LAST)


def test_too_few_unseen_traces_are_not_worth_a_load():
    more = {WINDOW[0]: Day(29, 20, 9, made=1)}
    waits(decide(seen(more, compiled=compiled(24)), TEN, Cursor(), NOON), "0 new usable traces and 9 not looked at")


def test_under_steady_traffic_what_is_ready_is_compiled_first():
    growing = {LAST: Day(500, 20, 9, made=1)}
    assert asked(decide(seen(growing), TEN, Cursor(), NOON), "compile")


def test_nothing_is_asked_while_a_run_has_not_ended():
    waits(decide(seen(running="0123abcd"), TEN, Cursor(), NOON), "0123abcd")


@pytest.mark.parametrize("hours", [0, 5])
def test_compiles_keep_their_distance(hours):
    waits(decide(seen(compiled=compiled(hours, d2=0, d3=0)), TEN, Cursor(), NOON), "min_spacing_hours")
    waits(decide(seen(), TEN, Cursor(compile_asked_ms=NOON - hours * HOUR_MS), NOON), "min_spacing_hours")


def test_after_the_distance_the_next_one_may_come():
    assert asked(decide(seen(compiled=compiled(6, d2=0, d3=0)), TEN, Cursor(), NOON), "compile")


@pytest.mark.parametrize(
    ("need", "hours_ago", "new", "asks"),
    [
        ("either", 24, 1, False),
        ("either", 72, 1, True),
        ("either", 72, 0, False),
        ("either", 24, 9, True),
        ("both", 72, 1, False),
        ("both", 24, 9, False),
        ("both", 72, 9, True),
    ],
)
def test_time_and_number_each_alone_or_both(need, hours_ago, new, asks):
    wanted = TraceVolumeSettings(new_traces=9, after_days=3, need=need, min_spacing_hours=0)
    found = decide(seen(compiled=compiled(hours_ago, d3=9 - new)), wanted, Cursor(), NOON)
    assert isinstance(found, Ask) == asks


def test_before_the_first_compile_time_counts_from_the_first_day_with_traces():
    wanted = TraceVolumeSettings(new_traces=None, after_days=2)
    assert asked(decide(seen(), wanted, Cursor(), NOON), "compile")
    days = {WINDOW[0]: Day(), WINDOW[1]: Day()}
    waits(decide(seen(days), wanted, Cursor(), NOON), "2 days")


def test_a_day_that_failed_its_checks_is_not_compiled_on():
    waits(decide(seen({WINDOW[1]: replace(ALL_MADE[WINDOW[1]], broken=True)}), TEN, Cursor(), NOON), WINDOW[1])


def test_the_same_is_asked_once_whether_the_cursor_or_a_run_remembers_it():
    first = decide(seen(), TEN, Cursor(), NOON)
    later = NOON + DAY_MS
    waits(decide(seen(), TEN, Cursor().after(first, NOON), later), "did not succeed")
    waits(decide(seen(asked=frozenset({first.watermark})), TEN, Cursor(), later), "did not succeed")


def test_after_a_failure_new_traces_do_not_cause_a_run_each_tick():
    failing = seen({LAST: Day(500, 0, 0)}, failed_at_ms=NOON)
    waits(decide(failing, TEN, Cursor(), NOON + AFTER_FAILURE_MS - 1), "the last run failed")
    assert asked(decide(failing, TEN, Cursor(), NOON + AFTER_FAILURE_MS), "load")


def test_a_cursor_comes_back_as_it_was():
    cursor = Cursor(("a", "b"), 5)
    assert read_cursor(cursor.to_json()) == (cursor, None)
    assert read_cursor(None) == (Cursor(), None)


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"version": 1}', '{"version":1,"asked":[3],"compile_asked_ms":null}']
)
def test_a_cursor_that_cannot_be_read_is_begun_anew_with_a_word(text):
    cursor, said = read_cursor(text)
    assert cursor == Cursor()
    assert "starting anew" in said


def test_a_cursor_of_another_version_is_begun_anew_with_a_word():
    values = json.loads(Cursor(("a",), 1).to_json()) | {"version": 2}
    cursor, said = read_cursor(json.dumps(values))
    assert cursor == Cursor()
    assert "version 2" in said


@given(st.sets(DATES, max_size=30), st.integers(1, 5))
def test_stretches_hold_each_day_once_and_nothing_else(days, longest):
    from telefine_assets.partitions import days_from

    found = [days_from(*each) for each in stretches(days, longest)]
    assert [day for each in found for day in each] == sorted(days)
    assert all(len(each) <= longest for each in found)


def test_days_in_a_row_are_one_stretch():
    assert stretches(["2026-11-04", "2026-11-02", "2026-11-03", "2026-11-06"]) == [
        ("2026-11-02", "2026-11-04"),
        ("2026-11-06", "2026-11-06"),
    ]


@dataclass
class World:
    """A deployment in a few numbers: what is logged, what runs come to, what is remembered."""

    wanted: TraceVolumeSettings
    now_ms: int = NOON
    cursor: str | None = None
    logged: dict = field(default_factory=lambda: dict.fromkeys(WINDOW, (0, 0)))
    days: dict = field(default_factory=lambda: {day: Day() for day in WINDOW})
    compiled: Compiled | None = None
    runs: list = field(default_factory=list)
    compiles: list = field(default_factory=list)
    failed_at_ms: int | None = None
    events: int = 0

    def log(self, day, usable, unusable):
        before = self.logged[day]
        self.logged[day] = before[0] + usable, before[1] + unusable

    def tick(self, outcome="success"):
        days = {day: replace(each, traces=sum(self.logged[day])) for day, each in self.days.items()}
        what = Seen(LAST, days, self.compiled, frozenset(self.runs), None, self.failed_at_ms)
        found = decide(what, self.wanted, read_cursor(self.cursor)[0], self.now_ms)
        if isinstance(found, Ask):
            assert found.watermark not in self.runs
            self.runs.append(found.watermark)
            self.cursor = read_cursor(self.cursor)[0].after(found, self.now_ms).to_json()
            self.failed_at_ms = None if outcome == "success" else self.now_ms
            self.run(found, outcome)
        self.now_ms += 60_000

    def run(self, ask, outcome):
        if outcome == "dies":
            return
        self.events += 1
        if ask.step == "load":
            for day in ask.days:
                usable, unusable = self.logged[day]
                self.days[day] = Day(0, usable + unusable, usable, self.events, broken=outcome == "check fails")
        elif outcome == "success":
            at_ms = self.compiled.at_ms if self.compiled else None
            assert at_ms is None or self.now_ms - at_ms >= self.wanted.min_spacing_hours * HOUR_MS
            assert not any(each.broken for each in self.days.values())
            self.compiled = Compiled(self.now_ms, self.events, {day: each.kept for day, each in self.days.items()})
            self.compiles.append(self.compiled.kept)


COUNTS = st.integers(0, 12)
LOGGED = st.tuples(st.just("log"), st.sampled_from(WINDOW), COUNTS, COUNTS)
TICKED = st.tuples(st.just("tick"), st.sampled_from(["success", "success", "dies", "check fails"]))
STEPS = st.lists(st.one_of(LOGGED, TICKED, TICKED, st.just(("reset",)), st.just(("hours", 3))), max_size=40)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from(["either", "both"]), st.sampled_from([None, 1.0]))
def test_never_twice_the_same_and_never_starved_whatever_happens(steps, need, after_days):
    need = "either" if after_days is None else need
    world = World(TraceVolumeSettings(new_traces=10, after_days=after_days, need=need, min_spacing_hours=6))
    for step in steps:
        match step:
            case ("log", day, usable, unusable):
                world.log(day, usable, unusable)
            case ("tick", outcome):
                world.tick(outcome)
            case ("reset",):
                world.cursor = None
            case ("hours", count):
                world.now_ms += count * HOUR_MS
    world.now_ms += 30 * HOUR_MS
    for day in WINDOW:
        world.log(day, 10, 0)
    before = len(world.compiles)
    world.tick()
    world.tick()
    assert len(world.compiles) > before
    # What was ready before was compiled first; the rest follows after the distance.
    world.now_ms += 30 * HOUR_MS
    world.tick()
    world.tick()
    assert world.compiles[-1] == {day: usable for day, (usable, _) in world.logged.items()}
