"""The picture stands for the numbers: places follow from days and gains, and nothing is shown that is not told."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.api.pages.story import BOTTOM, MOST, TOP, Gain, drawn
from telefine_assets.api.pages.words import short_day

PERCENT = 10_000
GAINS = st.lists(
    st.tuples(st.integers(0, 900), st.integers(PERCENT, 100 * PERCENT), st.integers(-PERCENT, PERCENT)),
    min_size=1,
    max_size=80,
    unique_by=lambda each: each[0],
)


def story(given, looks=()):
    days = [(date(2026, 1, 1) + timedelta(number)).isoformat() for number, *_ in sorted(given)]
    gains = [Gain(day, gain, lower, "before") for day, (_, gain, lower) in zip(days, sorted(given), strict=True)]
    return gains, drawn(gains, looks, PERCENT)


@given(GAINS)
def test_marks_stand_within_the_picture_and_in_order(given):
    gains, picture = story(given)
    shown = gains[-MOST:]
    assert len(picture.marks) == len(shown)
    places = [float(mark.left.removesuffix("%")) for mark in picture.marks]
    assert places == sorted(places)
    assert all(6 <= place <= 94 for place in places)
    for mark, each in zip(picture.marks, shown, strict=True):
        assert TOP <= mark.top <= mark.top + mark.foot <= BOTTOM
        assert short_day(each.day) in mark.title
    by_gain = sorted(zip(shown, picture.marks, strict=True), key=lambda pair: pair[0].gain_ppm)
    assert [mark.top for _, mark in by_gain] == sorted((mark.top for mark in picture.marks), reverse=True)


@given(GAINS)
def test_labels_do_not_stand_on_each_other_and_the_newest_has_one(given):
    _, picture = story(given)
    assert picture.marks[-1].label
    assert not picture.marks[-1].minor
    for apart, marks in (
        (12, [mark for mark in picture.marks if mark.label]),
        (30, [mark for mark in picture.marks if mark.label and not mark.minor]),
    ):
        places = [float(mark.left.removesuffix("%")) for mark in marks]
        assert all(b - a >= apart - 0.02 for a, b in pairwise(places))


def test_one_gain_alone_stands_in_the_middle():
    _, picture = story([(5, 125_000, 74_598)])
    (mark,), (day,) = picture.marks, picture.days
    assert (mark.left, day.at, day.text) == ("50.00%", "50.00%", "6 Jan 2026")
    assert [rung.text for rung in picture.rungs] == ["0", "+5 pp", "+10 pp", "+15 pp"]
    assert picture.threshold == 202


def test_looks_are_shown_by_day_and_number_alone():
    _, picture = story([(5, 125_000, 74_598), (9, 20_000, 10)], [("2026-01-08", 3), ("2025-12-01", 1)])
    ((_, title),) = picture.looks
    assert title == "8 Jan 2026: look 3 did not reach DeltaOne"


def test_nothing_is_drawn_of_nothing():
    assert drawn([], [("2026-01-08", 3)], PERCENT) is None
