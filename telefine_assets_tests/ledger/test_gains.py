"""A gain is paid once, whatever is revoked, issued again, rolled back, paid or minted, and in whatever order."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from telefine_assets.ledger import schema
from telefine_assets.ledger.attested import ATTESTED, REVOKED
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.mint_requests import MintRequests
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import ROLLBACK, AuditEntry, Choice, Promotion, Token

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN = Token("TOKEN", 18)
LAST, FIRST = -1, 0


def day_of(number):
    return f"day {number:02}"


class Program:
    """A program's days, by number. What is attested promotes, over what serves; ``uids`` are in order of issue."""

    def __init__(self, ledger, name="tickets"):
        self.ledger, self.name, self.champions = ledger, name, Champions(ledger)
        self.uids: list[list[str]] = []
        self.revoked: set[str] = set()

    def attest(self):
        """Attest the next day; returns its number."""
        number, serving = len(self.uids), self.champions.current(self.name)
        self.uids.append([])
        uid, baseline = self._issue(number), serving.version if serving else "first"
        self.champions.promote(Promotion(self.name, day_of(number), f"v{number}", baseline, uid), NOON)
        return number

    def revoke(self, number):
        """Revoke the day's last attestation."""
        uid = self.uids[number][-1]
        if uid not in self.revoked:
            self.revoked.add(uid)
            Audit(self.ledger).append(AuditEntry("0xA", REVOKED, uid, {"reason": "wrong"}), NOON)

    def reissue(self, number):
        """Issue the day's last attestation again, if it was revoked."""
        if self.uids[number][-1] in self.revoked:
            self._issue(number)

    def roll_back(self, to="first"):
        last = self.champions.current(self.name)
        after, day = (last.seq, last.day) if last else (0, day_of(0))
        self.champions.choose(Choice(self.name, day, to, "why", "ann", ROLLBACK, after), NOON)

    def pay(self, number, which=LAST):
        """Pay a day by its last attestation, or as somebody would who verified the first one a while ago."""
        uid, replaces = self._asked(number, which)
        day = {"program": self.name, "day": day_of(number), "replaces": replaces}
        Payouts(self.ledger).record(attestation=uid, pool=1, plan="plan", token=TOKEN, lines={"0xA": 1}, **day)

    def mint(self, number, which=LAST):
        """Sign a mint request, likewise."""
        uid, replaces = self._asked(number, which)
        MintRequests(self.ledger).record(uid, f"request of {uid}", replaces)

    def promoted(self):
        """The promotion of each day."""
        return [self.champions.of(uids[0]) for uids in self.uids]

    def paid(self):
        """Numbers of the days that were paid, and of those for which a request was signed."""
        with self.ledger.reading() as connection:
            days = list(connection.scalars(select(schema.payouts.c.day).where(schema.payouts.c.program == self.name)))
            minted = set(connection.scalars(select(schema.mint_requests.c.attestation)))
        requests = [number for number, uids in enumerate(self.uids) for uid in uids if uid in minted]
        return sorted(int(day.removeprefix("day ")) for day in days), requests

    def stands(self, number):
        return not {*self.uids[number]} <= self.revoked

    def _asked(self, number, which):
        uids = self.uids[number]
        return uids[which], uids[: which % len(uids)]

    def _issue(self, number):
        uid = f"{self.name}/{number}.{len(self.uids[number])}"
        self.uids[number].append(uid)
        details = {"program": self.name, "day": day_of(number), "position": 1}
        Audit(self.ledger).append(AuditEntry("0xA", ATTESTED, uid, details), NOON)
        return uid


@pytest.fixture
def program(ledger):
    return Program(ledger)


@pytest.fixture
def won_again(program):
    """A fraud that was revoked unpaid and rolled back, and the honest gain of the day after."""
    fraud = program.attest()
    program.revoke(fraud)
    program.roll_back()
    return fraud, program.attest()


def refused(ask, number, why, which=LAST):
    with pytest.raises(LedgerError, match=why):
        ask(number, which)


@pytest.mark.parametrize("money", [Program.pay, Program.mint])
def test_what_was_revoked_before_it_was_paid_burns_no_gain(program, won_again, money):
    fraud, honest = won_again
    assert program.champions.why_unpaid(program.promoted()[honest]) is None
    money(program, honest)
    # What was paid stands, and the day that was revoked is not paid any more, though it is issued again.
    program.reissue(fraud)
    for ask in (program.pay, program.mint):
        refused(ask, fraud, f"lost gain 1 of tickets: it was won again on {day_of(honest)}")
    program.pay(honest)
    program.mint(honest)
    assert program.paid() == ([honest], [honest])


def test_what_was_corrected_has_its_gain_still(program, won_again):
    fraud, honest = won_again
    program.reissue(fraud)
    for ask in (program.pay, program.mint):
        refused(ask, honest, f"won back gain 1 of tickets, which attestation tickets/{fraud}.1 of {day_of(fraud)} won")
    program.pay(fraud)
    program.revoke(fraud)
    refused(program.pay, honest, f"won back gain 1 of tickets, for which {day_of(fraud)} was paid; nothing is paid or")
    assert program.paid() == ([fraud], [])


def test_what_was_only_rolled_back_has_its_gain_still(program):
    first = program.attest()
    program.roll_back()
    again = program.attest()
    refused(program.pay, again, "won back gain 1 of tickets, which attestation tickets/0.0 of day 00 won before")
    program.pay(first)


@pytest.mark.parametrize("money", [Program.pay, Program.mint])
def test_what_was_paid_keeps_its_height_though_it_is_revoked(program, money):
    first = program.attest()
    money(program, first)
    program.revoke(first)
    program.roll_back()
    again = program.attest()
    for ask in (program.pay, program.mint):
        refused(ask, again, "won back gain 1 of tickets, for which day 00 was paid")
    beyond = program.attest()
    program.pay(beyond)


def test_below_what_was_paid_no_revoked_height_is_free(program):
    """The gain over the fraud was paid: who reaches the fraud's height again may only win that back."""
    fraud, over = program.attest(), program.attest()
    program.revoke(fraud)
    program.pay(over)
    program.roll_back()
    refused(program.pay, program.attest(), f"won back gain 1 of tickets, for which {day_of(over)} was paid")


def test_a_day_has_one_mint_request_whichever_of_its_attestations_was_verified_first(program):
    day = program.attest()
    program.revoke(day)
    program.reissue(day)
    program.mint(day)
    # Verified just before it was revoked, and signed only now.
    refused(program.mint, day, "tickets day 00 has attestation tickets/0.1, for which a mint request was signed", FIRST)
    assert program.paid() == ([], [day])


def test_who_verified_before_the_revocation_and_pays_after_it_pays_nothing(program):
    day = program.attest()
    program.revoke(day)
    refused(program.pay, day, "attestation tickets/0.0 was revoked; nothing new")
    refused(program.mint, day, "attestation tickets/0.0 was revoked; nothing new")
    assert program.paid() == ([], [])


def test_what_was_paid_is_asked_again_with_the_same_answer_after_a_revocation(program):
    day = program.attest()
    for _ in range(2):
        program.pay(day)
        program.mint(day)
        program.revoke(day)
    assert program.paid() == ([day], [day])


def test_programs_burn_no_gains_of_each_other(ledger):
    mine, theirs = Program(ledger), Program(ledger, 'tick"ets %')
    for each in (mine, theirs):
        each.attest()
    theirs.revoke(0)
    theirs.roll_back()
    assert (theirs.attest(), mine.stands(0)) == (1, True)
    mine.pay(0)
    theirs.pay(1)
    refused(theirs.pay, 0, "was revoked")


EXAMPLES = count()
NUMBER = st.integers(0, 5)
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["attest"])),
    st.tuples(st.sampled_from(["roll_back"]), st.sampled_from(["first", "v0", "v1"])),
    st.tuples(st.sampled_from(["revoke", "reissue"]), NUMBER),
    st.tuples(st.sampled_from(["pay", "mint"]), NUMBER, st.sampled_from([LAST, LAST, FIRST])),
)


def happen(program, name, *values):
    if name in ("revoke", "reissue", "pay", "mint"):
        values = (values[0] % max(1, len(program.uids)), *values[1:])
        if not program.uids:
            return
    try:
        getattr(program, name)(*values)
    except LedgerError:
        assert name in ("pay", "mint")


def check_paid_once(program):
    """Money rises: of two days that it went to, the later one is higher. A day has one payout and one request."""
    paid, requests = program.paid()
    assert (len({*paid}), len({*requests})) == (len(paid), len(requests))
    heights = [program.promoted()[number].height for number in sorted({*paid, *requests})]
    assert heights == sorted({*heights})


def check_paid_at_all(program):
    """A day that stands is one to pay for, where nothing stands or was paid that had reached its height."""
    paid, requests = program.paid()
    promoted, served = program.promoted(), {*paid, *requests}
    for number, each in enumerate(promoted):
        higher = [at for at, other in enumerate(promoted) if at != number and other.height >= each.height]
        if program.stands(number) and not any(program.stands(at) or at in served for at in higher):
            taken = [at for at in served if at > number and promoted[at].height < each.height]
            assert (program.champions.why_unpaid(each) is None) == (not taken)
        # Where nobody ever revoked anything, the first to reach a height is who is paid.
        if not program.revoked:
            assert (program.champions.why_unpaid(each) is None) == (each.gain is not None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, min_size=6, max_size=18), st.integers(1, 3))
@example([("revoke", 0), ("roll_back", "first"), ("attest",), ("pay", 1, LAST), ("reissue", 0), ("mint", 0, LAST)], 1)
@example([("mint", 0, LAST), ("revoke", 0), ("roll_back", "first"), ("attest",), ("pay", 1, LAST)], 1)
@example([("revoke", 0), ("pay", 1, LAST), ("roll_back", "first"), ("attest",), ("pay", 2, LAST)], 2)
def test_no_order_of_events_pays_a_height_twice_and_none_is_lost(ledger, events, attested):
    program = Program(ledger, f"program {next(EXAMPLES)}")
    for _ in range(attested):
        program.attest()
    for event in events:
        happen(program, *event)
        check_paid_once(program)
    check_paid_at_all(program)
