"""Champions: the day decides which version a rerun is compared with, and no gain is new twice."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from telefine_assets.ledger import schema
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.records import BY_HAND, ROLLBACK, Choice, Promotion

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST = Promotion("tickets", "2026-11-02", "v1", "v0", "0x1")
SECOND = Promotion("tickets", "2026-11-04", "v2", "v1", "0x2")


@pytest.fixture
def champions(ledger):
    return Champions(ledger)


def choose(champions: Champions, version: str, day: str, how: str = ROLLBACK, program: str = "tickets"):
    last = champions.current(program)
    choice = Choice(program, day, version, "it was wrong", "ann", how, last.seq if last else 0)
    return champions.choose(choice, NOON)


def test_before_any_promotion_the_first_version_serves(champions):
    assert (champions.current("tickets"), champions.before("tickets", "2026-11-02")) == (None, None)


def test_a_version_serves_from_the_end_of_its_day_on(champions):
    first, second = champions.promote(FIRST, NOON), champions.promote(SECOND, NOON)
    served = {day: champions.before("tickets", f"2026-11-0{day}") for day in range(1, 7)}
    assert served == {1: None, 2: None, 3: first, 4: first, 5: second, 6: second}
    assert champions.current("tickets") == second
    assert champions.history("tickets") == [first, second]


def test_an_earlier_day_that_comes_too_late_replaces_nothing(champions):
    second = champions.promote(SECOND, NOON)
    with pytest.raises(LedgerError, match="2026-11-04 serves already"):
        champions.promote(FIRST, NOON)
    assert champions.current("tickets") == second


def test_a_day_promotes_once(champions):
    first = champions.promote(FIRST, NOON)
    with pytest.raises(LedgerError, match="serves already"):
        champions.promote(Promotion("tickets", "2026-11-02", "v1b", "v0", "0x3"), NOON)
    assert (champions.of("0x1"), champions.of("0x3")) == (first, None)


def test_the_same_promotion_again_changes_nothing(champions, ledger):
    first, second = champions.promote(FIRST, NOON), champions.promote(SECOND, NOON)
    assert champions.promote(FIRST, datetime.now(UTC)) == first
    assert champions.current("tickets") == second
    assert len(Audit(ledger).rows()) == 2


def test_one_attestation_promotes_one_version(champions):
    first = champions.promote(FIRST, NOON)
    with pytest.raises(LedgerError, match="attestation 0x1 already promoted v1"):
        champions.promote(Promotion("tickets", "2026-11-02", "v9", "v0", "0x1"), NOON)
    assert champions.current("tickets") == first


def test_programs_have_their_own_champions(champions):
    champions.promote(FIRST, NOON)
    assert champions.current("reviews") is None
    assert champions.before("reviews", "2026-12-01") is None


def test_a_rollback_holds_from_its_day_on_and_leaves_older_days_as_they_were(champions):
    first, second = champions.promote(FIRST, NOON), champions.promote(SECOND, NOON)
    back = choose(champions, "v1", "2026-11-06")
    served = {day: champions.before("tickets", f"2026-11-0{day}") for day in range(1, 9)}
    assert served == {1: None, 2: None, 3: first, 4: first, 5: second, 6: second, 7: back, 8: back}
    assert champions.current("tickets") == back


def test_days_never_go_back_when_a_clock_does(champions):
    champions.promote(SECOND, NOON)
    assert choose(champions, "v1", "2020-01-01").day == "2026-11-04"
    assert champions.current("tickets").version == "v1"


def test_a_choice_that_was_made_of_what_serves_no_more_is_refused(champions, ledger):
    champions.promote(FIRST, NOON)
    with pytest.raises(LedgerError, match="something else serves by now"):
        champions.choose(Choice("tickets", "2026-11-06", "v7", "why", "ann", BY_HAND, 0), NOON)
    assert champions.current("tickets").version == "v1"
    assert len(Audit(ledger).rows()) == 1


def test_whatever_makes_a_version_serve_is_in_the_audit_log(champions, ledger):
    champions.promote(FIRST, NOON)
    choose(champions, "v7", "2026-11-03", BY_HAND)
    choose(champions, "v1", "2026-11-03")
    rows = Audit(ledger).rows("tickets")
    assert [(row.actor, row.action) for row in rows] == [
        ("telefine", "promoted"),
        ("ann", "promoted by hand"),
        ("ann", "rolled back"),
    ]
    assert [(row.details["version"], row.details["replaces"]) for row in rows] == [
        ("v1", None),
        ("v7", "v1"),
        ("v1", "v7"),
    ]
    assert rows[0].details["attestation"] == "0x1"
    assert rows[2].details["reason"] == "it was wrong"
    assert {row.at for row in rows} == {"2026-11-20T12:00:00Z"}


def test_a_promotion_that_cannot_be_written_is_not_in_the_audit_log_either(champions, ledger):
    champions.promote(FIRST, NOON)
    with pytest.raises(ValueError, match="time zone"):
        champions.promote(SECOND, NOON.replace(tzinfo=None))
    assert champions.current("tickets").version == "v1"
    assert len(Audit(ledger).rows()) == 1


def test_gains_on_top_of_each_other_are_all_new(champions):
    assert [champions.promote(each, NOON).gain for each in (FIRST, SECOND)] == [1, 2]


def test_winning_back_what_was_rolled_back_is_no_new_gain_and_what_goes_beyond_is(champions):
    champions.promote(FIRST, NOON)
    champions.promote(SECOND, NOON)
    choose(champions, "v0", "2026-11-05")
    again = [
        champions.promote(Promotion("tickets", f"2026-11-{10 + at}", f"w{at}", before, f"0xa{at}"), NOON)
        for at, before in enumerate(["v0", "w0", "w1"])
    ]
    assert [(each.height, each.gain) for each in again] == [(1, None), (2, None), (3, 3)]


def test_a_version_that_is_chosen_by_hand_stands_as_high_as_it_is_attested(champions):
    champions.promote(FIRST, NOON)
    champions.promote(SECOND, NOON)
    assert choose(champions, "never attested", "2026-11-05", BY_HAND).height == 0
    assert champions.promote(Promotion("tickets", "2026-11-06", "w", "never attested", "0x3"), NOON).gain is None
    assert choose(champions, "v2", "2026-11-07", BY_HAND).height == 2
    assert champions.promote(Promotion("tickets", "2026-11-08", "x", "v2", "0x4"), NOON).gain == 3


def test_the_database_itself_refuses_to_make_a_gain_new_again(champions, ledger):
    champions.promote(FIRST, NOON)
    row = {"program": "tickets", "day": "2026-12-01", "version": "v", "reason": "", "how": "attested", "height": 1}
    with pytest.raises(IntegrityError), ledger.writing() as connection:
        connection.execute(insert(schema.champions).values(**row, attestation="0x9", gain=1))


EXAMPLES = count()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["attested", "by hand", "rollback"]), st.integers(0, 7)), max_size=14))
def test_whatever_is_chosen_in_between_each_height_is_new_once(champions, moves):
    program = f"program {next(EXAMPLES)}"
    for at, (how, which) in enumerate(moves):
        now = champions.current(program)
        if how == "attested":
            before = now.version if now else "v0"
            champions.promote(Promotion(program, f"day {at:02}", f"v{which}", before, f"{program} {at}"), NOON)
        else:
            choose(champions, f"v{which}", f"day {at:02}", how, program)
    history = champions.history(program)
    highest = max((each.height for each in history), default=0)
    assert [each.gain for each in history if each.gain is not None] == list(range(1, highest + 1))
