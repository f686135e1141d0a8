"""What was spent: a row for each piece of work, in order, for ever."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from telefine_assets.ledger.records import Spending, Work
from telefine_assets.ledger.spending import Spendings

WORK = Work("triage", "compiled_programs", "2026-11-03", "run")
SPENT = Spending(WORK, 10, 2, 2**40, None, 1_500)


def test_the_same_work_tried_again_is_a_further_row(ledger):
    kept = Spendings(ledger)
    again = replace(SPENT, calls=0, tokens=0, cost_micros=0)
    for each in (SPENT, again):
        kept.add(each)
    assert kept.of("triage", "2026-11-03", "2026-11-03") == [SPENT, again]


def test_it_is_asked_for_by_program_and_days(ledger):
    kept = Spendings(ledger)
    days = [f"2026-11-{day:02d}" for day in (2, 3, 4, 5)]
    for day in days:
        kept.add(replace(SPENT, work=replace(WORK, day=day)))
        kept.add(replace(SPENT, work=replace(WORK, day=day, program="other")))
    assert [each.work.day for each in kept.of("triage", days[1], days[2])] == days[1:3]
    assert kept.of("nobody", days[0], days[-1]) == []


@pytest.mark.parametrize("statement", ["UPDATE lm_spending SET calls = 0", "DELETE FROM lm_spending"])
def test_what_was_spent_is_neither_changed_nor_removed(ledger, stranger, statement):
    Spendings(ledger).add(SPENT)
    with pytest.raises(DBAPIError, match="append-only"):
        stranger.run(statement)
