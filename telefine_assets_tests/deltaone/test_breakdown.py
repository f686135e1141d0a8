from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.deltaone.breakdown import (
    MOST_SLICES,
    Bin,
    by,
    calibration,
    category_key,
    category_of,
    spent,
    too_many_regressions,
)
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import PPM

from .rows import LOOSE, look, row, rows
from .told import tickets

LEVEL = Fraction(1, 40)
SCORES = st.one_of(st.none(), st.integers(0, PPM))
SCORED = st.lists(st.tuples(SCORES, SCORES, st.integers(0, 40)), max_size=80)


@given(SCORED, st.sampled_from(["higher", "lower"]))
def test_slices_add_up_to_the_decision_whatever_divides_the_rows(scored, direction):
    rules = replace(LOOSE, direction=direction)
    items = [row(at, old, new, contributor=str(kind)) for at, (old, new, kind) in enumerate(scored)]
    slices, decision = by(items, lambda item: item.contributor, rules, LEVEL), decide(items, rules, look())
    for name in ("n", "wins", "losses", "ties"):
        assert sum(getattr(each, name) for each in slices) == getattr(decision, name)
    assert len(slices) <= MOST_SLICES + 1
    assert slices == by(items[::-1], lambda item: item.contributor, rules, LEVEL)


def test_a_slice_of_everything_is_the_decision_itself():
    items = rows(61, 23, 380)
    decision = decide(items, LOOSE, look())
    (whole,) = by(items, lambda item: "all", LOOSE, LEVEL)
    assert (whole.gain_ppm, whole.lower_ppm, whole.upper_ppm) == (
        decision.delta_ppm,
        decision.lower_ppm,
        decision.upper_ppm,
    )


def test_small_slices_have_no_interval_and_the_smallest_kinds_are_summed():
    items = [row(at, 0, PPM, contributor=f"c{at % 25:02}") for at in range(240)]
    slices = by(items, lambda item: item.contributor, LOOSE, LEVEL)
    assert [(each.name, each.n, each.rest) for each in slices[-2:]] == [("c19", 9, 0), (None, 45, 5)]
    assert [each.lower_ppm is None for each in (slices[0], slices[-2], slices[-1])] == [False, True, False]


def test_the_category_is_the_settings_field_or_an_only_label_with_few_values():
    items = tickets()
    assert category_of(items, "text") == "text"
    assert category_of(items, None) == "queue"
    assert {category_key("queue")(item) for item in items} == {"billing", "delivery", "returns", "account", "other"}
    assert category_key("text")(items[0]).startswith("My card")
    assert category_of([replace(item, label={"queue": item.item}) for item in items], None) is None
    assert category_of([replace(item, label={"queue": "one"}) for item in items], None) is None
    assert category_of([replace(item, label={"a": 1, "b": 2}) for item in items], None) is None
    assert category_of([replace(item, label={}) for item in items], None) is None


def said(*answers):
    return [
        row(at, 0, score, candidate_measures={} if sure is None else {"confidence": sure})
        for at, (sure, score) in enumerate(answers)
    ]


def test_calibration_is_the_published_arithmetic():
    # Three answers at 0.9 of which two are right; one at 0.2 that is wrong; one that says nothing.
    items = said((900_000, PPM), (900_000, PPM), (900_000, 0), (200_000, 0), (None, PPM))
    found = calibration(items, "candidate", LOOSE)
    assert found.n == 4
    assert found.bins == (Bin(200_000, 1, 200_000, 0), Bin(900_000, 3, 900_000, 666_667))
    assert found.brier_ppm == round((0.01 + 0.01 + 0.81 + 0.04) / 4 * PPM)
    assert found.ece_ppm == round((0.7 + 0.2) / 4 * PPM)
    assert calibration(items, "baseline", LOOSE) is None


def test_a_loss_is_calibrated_against_what_is_good():
    found = calibration(said((PPM, 0), (PPM, 0)), "candidate", replace(LOOSE, direction="lower"))
    assert (found.bins, found.brier_ppm) == ((Bin(900_000, 2, PPM, PPM),), 0)


def test_what_was_spent_counts_only_what_is_known():
    items = [row(at, 0, PPM, candidate_measures={"latency_ms": at + 1}) for at in range(100)]
    items[0] = replace(items[0], candidate_measures={})
    found = spent(items, "latency_ms")
    spread = found["candidate"]
    assert (spread.n, spread.known, spread.total) == (100, 99, sum(range(2, 101)))
    assert (spread.median, spread.p95) == (51, 96)
    assert found["baseline"] is None


@pytest.mark.parametrize(
    ("losses", "wins", "limit", "why"),
    [
        (0, 0, None, None),
        (4, 0, None, None),
        (5, 0, None, "more than chance explains"),
        (15, 5, None, "more than chance explains"),
        (14, 6, None, None),
        (3, 9, 3, None),
        (3, 9, 2, "the rules allow 2"),
    ],
)
def test_regressions_are_too_many_beyond_the_limit_or_beyond_chance(losses, wins, limit, why):
    found = too_many_regressions({"count": losses, "losses": losses, "wins": wins}, limit)
    assert found is None if why is None else why in found
