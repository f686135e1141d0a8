from dataclasses import replace

import pytest

from telefine_assets.deltaone.pairs import regressed, worst_case
from telefine_assets.deltaone.records import PPM, RecordError

from .rows import LOOSE, LOWER, row, rows

LOST = row(900, PPM, None, candidate_error="timeout")


def test_regressed_rows_are_those_that_got_worse_by_item():
    items = [row(5, PPM, 0), row(3, 700_000, 699_999), row(1, 0, PPM), row(2, PPM, PPM), LOST]
    assert [each.trace_id for each in regressed(items, "higher")] == ["tr-3", "tr-5"]
    assert [each.trace_id for each in regressed(items, "lower")] == ["tr-1"]


def test_an_answer_that_became_unreadable_regressed_for_a_loss_too():
    items = [row(1, 0, 0, candidate_error="unparsable")]
    assert regressed(items, "lower") == items
    assert regressed(items, "higher") == []


def test_the_worst_case_counts_what_is_unresolved_wholly_against_the_candidate():
    items = rows(60, 20, 400)
    assert worst_case(items, LOOSE) == 40 * PPM // 480
    assert worst_case([*items, LOST], LOOSE) == 39 * PPM // 481
    assert worst_case([*items, LOST], LOWER) == -41 * PPM // 481
    assert worst_case([LOST, replace(LOST, item="f" * 64)], LOOSE) == -PPM


def test_the_worst_case_is_rounded_down():
    assert worst_case([row(i, *pair) for i, pair in enumerate(((0, 0), (1, 0), (0, 0)))], LOOSE) == -1


def test_nothing_has_no_worst_case():
    with pytest.raises(RecordError):
        worst_case([], LOOSE)
