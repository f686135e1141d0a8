"""Odd days: what is called odd, what is not, and how often an ordinary day is."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.alerts.anomalies import PPM, Day, Measure, Rules, odd_values
from telefine_assets.alerts.found import odd_day

RULES = Rules(window_days=56, threshold_milli=3_500, least_volume_percent=20, least_ppm=30_000, min_traces=20)
MONDAY = date(2026, 1, 5)
DAY = MONDAY + timedelta(days=70)


def day(traces, dropped=0, score_ppm=800_000):
    return Day(traces, dropped, traces - dropped, score_ppm)


def weeks(make, count=70):
    """Days up to the one that is looked at; ``make`` is given the number of each."""
    return {(MONDAY + timedelta(days=number)).isoformat(): make(number) for number in range(count)}


def odd(history, last, rules=RULES, at=DAY):
    return odd_values({**history, at.isoformat(): last}, at.isoformat(), rules)


def measures(*arguments, **options):
    return [each.measure for each in odd(*arguments, **options)]


STEADY = weeks(lambda number: day(1_000 + number % 3, dropped=50))
WEEKLY = weeks(lambda number: day(1_000 if number % 7 < 5 else 200, dropped=0))


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (day(1_000, 50), []),
        (day(850, 42), []),
        (day(1_180, 59), []),
        (day(700, 35), [Measure.VOLUME]),
        (day(1_500, 75), [Measure.VOLUME]),
        (day(0), [Measure.VOLUME]),
        (day(1_000, 200), [Measure.DROPS]),
        (day(1_000, 0), []),
        (day(1_000, 50, 700_000), [Measure.SCORE]),
        (day(1_000, 50, 900_000), [Measure.SCORE]),
        (day(1_000, 50, 790_000), []),
        (day(1_000, 990, 100_000), [Measure.DROPS]),
    ],
)
def test_falls_and_rises_are_odd_and_fewer_drops_are_not(last, found):
    assert measures(STEADY, last) == found


def test_a_sunday_is_no_monday():
    sunday = DAY + timedelta(days=6)
    history = weeks(lambda number: WEEKLY[(MONDAY + timedelta(days=number % 7)).isoformat()], 76)
    assert measures(history, day(200), at=sunday) == []
    assert measures(history, day(1_000), at=sunday) == [Measure.VOLUME]
    assert measures(history, day(200)) == [Measure.VOLUME]
    assert measures(history, day(1_000)) == []


def test_with_too_little_to_compare_with_nothing_is_said():
    few = {key: value for key, value in STEADY.items() if key >= (DAY - timedelta(days=27)).isoformat()}
    assert measures(few, day(1, 0)) == []
    assert measures(few, day(1_000, 500)) == [Measure.DROPS]
    nine = {key: value for key, value in STEADY.items() if key >= (DAY - timedelta(days=9)).isoformat()}
    assert measures(nine, day(1_000, 500)) == []
    assert measures({}, day(1_000)) == []
    assert odd_values(STEADY, DAY.isoformat(), RULES) == []


def test_a_quiet_baseline_is_no_steadier_than_chance():
    always = weeks(lambda _: day(100, 0, PPM))
    assert measures(always, day(100, 3, PPM)) == []
    assert measures(always, day(100, 20, PPM)) == [Measure.DROPS]
    assert measures(weeks(lambda _: day(9)), day(3)) == []
    assert measures(weeks(lambda _: day(0)), day(3)) == []
    assert measures(weeks(lambda _: day(0)), day(100)) == [Measure.VOLUME]


def test_a_few_odd_days_before_hide_none():
    spoilt = weeks(lambda number: day(100_000) if number in (35, 42, 63) else day(1_000))
    assert measures(spoilt, day(2_000)) == [Measure.VOLUME]
    assert measures(spoilt, day(1_000)) == []


def test_what_lasts_is_told_once_and_again_when_it_turns():
    history = dict(STEADY)
    told = []
    for number, traces in enumerate([1_000, 300, 310, 290, 2_900, 1_000, 300]):
        at = DAY + timedelta(days=number)
        told.append(len(odd(history, day(traces, traces // 20), at=at)))
        history[at.isoformat()] = day(traces, traces // 20)
    assert told == [0, 1, 0, 0, 1, 0, 1]


def test_an_outage_is_told_after_a_dip():
    history, told = dict(STEADY), []
    for number, traces in enumerate([560, 540, 0, 0]):
        at = DAY + timedelta(days=number)
        told.append([each.measure for each in odd(history, day(traces), at=at)])
        history[at.isoformat()] = day(traces)
    assert told == [[Measure.VOLUME], [], [Measure.VOLUME], []]


@given(st.lists(st.integers(0, 10**7), min_size=71, max_size=71), st.integers(2, 9))
def test_what_is_odd_lies_outside_of_what_is_told_and_a_wider_rule_finds_no_more(counts, factor):
    days = weeks(lambda number: day(counts[number], counts[number] // 7), 71)
    wider = Rules(56, 3_500 * factor, 20, 30_000, 20)
    found = odd_values(days, DAY.isoformat(), RULES)
    for each in found:
        assert 0 <= each.low <= each.usual <= each.high
        assert not each.low <= each.value <= each.high
    # A streak may hide more from the narrow rule than from the wide one.
    before = (DAY - timedelta(days=1)).isoformat()
    del days[before]
    narrow = {each.measure for each in odd_values(days, DAY.isoformat(), RULES)}
    assert {each.measure for each in odd_values(days, DAY.isoformat(), wider)} <= narrow


@pytest.mark.parametrize("kind", ["poisson", "normal", "lognormal"])
def test_ordinary_days_are_seldom_called_odd(kind):
    """What the module says of itself: 1 to 3 of 1,000; here up to 8, since these are few days."""
    random, calls, looked = np.random.default_rng(7), 0, 0
    for base in (30, 300, 3_000):
        for _ in range(2):
            days = weeks(lambda number, base=base: _drawn(random, kind, base * (1.0 if number % 7 < 5 else 0.4)), 150)
            for number in range(70, 150):
                at = MONDAY + timedelta(days=number)
                calls += len(odd_values(days, at.isoformat(), RULES))
                looked += len(Measure)
    assert calls <= 0.008 * looked


def _drawn(random, kind, mean):
    spread = {"poisson": 0.0, "normal": 0.02, "lognormal": 0.02}[kind]
    volume = {
        "poisson": lambda: random.poisson(mean),
        "normal": lambda: random.normal(mean, 0.15 * mean),
        "lognormal": lambda: mean * np.exp(random.normal(0, 0.3)),
    }[kind]()
    traces = max(0, int(volume))
    dropped = int(random.binomial(traces, np.clip(random.normal(0.1, spread), 0, 1)))
    right = int(random.binomial(traces - dropped, np.clip(random.normal(0.8, spread), 0, 1)))
    return Day(traces, dropped, traces - dropped, right * PPM // max(1, traces - dropped))


def test_an_odd_day_is_told_in_plain_numbers():
    (found,) = odd(STEADY, day(300, 15))
    alert = odd_day("tickets", found)
    assert alert.subject == "tickets: 300 traces came in on 2026-03-16"
    assert "beside the Mondays before, 1,0" in alert.what
    (found,) = odd(STEADY, day(1_000, 300))
    assert "30.0 % of the traces were dropped" in odd_day("tickets", found).subject
