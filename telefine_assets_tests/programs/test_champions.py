"""Which version serves: the first one until an attestation promotes another, in a real ledger."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from telefine_assets.canonical import digest_of
from telefine_assets.ledger.attested import REVOKED
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import ATTESTED, BY_HAND, ROLLBACK, AuditEntry, Champion, Choice
from telefine_assets.payouts.paying import Books, pay_attested
from telefine_assets.payouts.token import token_of
from telefine_assets.programs.champions import promote_day, serving
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.versions import first_version
from telefine_assets.settings.payout import PayoutSettings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets_tests.attestation.example import make_example
from telefine_assets_tests.programs.examples import tickets_spec

SPEC = tickets_spec()
LM = {"model": "m"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VERIFIED = make_example().verify()
PROGRAM, DAY, VERSION = VERIFIED.claim.program, VERIFIED.claim.partition, VERIFIED.claim.candidate_version
BASELINE = VERIFIED.claim.baseline_version
DAY_AFTER = "2026-11-21"
PAYOUT = PayoutSettings(pool="1000", token_symbol="TOKEN")
TOKEN = token_of(PAYOUT)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger
    ledger.close()


@pytest.fixture
def champions(ledger):
    return Champions(ledger)


@pytest.fixture
def evidence(tmp_path):
    return EvidenceStore(Files(str(tmp_path)))


def attested(day: str, baseline: str, candidate: str):
    """The example's attestation, as it would be about another day and other versions."""
    claim = replace(VERIFIED.claim, partition=day, baseline_version=baseline, candidate_version=candidate)
    return replace(VERIFIED, uid="0x" + digest_of([day, baseline, candidate]), claim=claim)


def choose(champions, version, day, how=ROLLBACK):
    last = champions.current(PROGRAM)
    return champions.choose(Choice(PROGRAM, day, version, "it was wrong", "ann", how, last.seq if last else 0), NOON)


def champion_of(version: str) -> Champion:
    return Champion(1, "tickets", DAY, version, "", ATTESTED, "uid", 1, 1)


def test_the_first_version_serves_until_something_is_promoted(champions):
    assert serving(SPEC, champions.before("tickets", DAY), lambda digest: b"", LM) == first_version(SPEC, LM)


def test_the_champion_that_was_promoted_serves_from_its_evidence(evidence):
    version = first_version(SPEC, {"model": "other"})
    digest = evidence.put(version.document)
    assert serving(SPEC, champion_of(digest), evidence.get, LM) == version


def changed(evidence, document):
    digest = evidence.put(document)
    evidence._files.write(evidence.name(digest), document.replace(b"ticket", b"tacket", 1))
    return digest


UNUSABLE = {
    "gone": (lambda evidence: "a" * 64, "is missing"),
    "changed": (lambda evidence: changed(evidence, first_version(SPEC, LM).document), "was changed"),
    "of another program": (
        lambda evidence: evidence.put(
            first_version(SPEC, LM).document.replace(b'"program":"tickets"', b'"program":"x"')
        ),
        "is of 'x'",
    ),
}


@pytest.mark.parametrize(("break_it", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_champion_that_cannot_serve_is_an_error_with_the_cure_and_is_not_replaced(evidence, break_it, why):
    with pytest.raises(ProgramError, match=rf"{why}.*telefine programs rollback --program tickets"):
        serving(SPEC, champion_of(break_it(evidence)), evidence.get, LM)


def test_a_verified_attestation_promotes_its_candidate_from_the_next_day_on(champions):
    record = promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    assert (record["outcome"], record["serves"], record["attestation"]) == ("promoted", VERSION, VERIFIED.uid)
    assert champions.before(PROGRAM, DAY) is None
    assert champions.before(PROGRAM, DAY_AFTER).version == VERSION
    assert champions.before(PROGRAM, DAY_AFTER).attestation == VERIFIED.uid


def test_promoting_twice_promotes_once_and_says_the_same_whatever_the_time(champions):
    first = promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    assert promote_day(PROGRAM, DAY, VERIFIED, champions, datetime.now(UTC)) == first
    assert len(champions.history(PROGRAM)) == 1


def test_nothing_new_is_promoted_on_a_revoked_attestation_but_what_was_promoted_stands(champions):
    record = promote_day(PROGRAM, DAY, VERIFIED, champions, NOON, "revoked: uid")
    assert (record["outcome"], record["serves"], record["attestation"]) == ("kept", "first version", None)
    assert record["reason"] == f"attestation {VERIFIED.uid} is revoked: uid"
    assert champions.current(PROGRAM) is None
    promoted = promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    assert promoted["outcome"] == "promoted"
    assert promote_day(PROGRAM, DAY, VERIFIED, champions, NOON, "revoked: uid") == promoted


def test_without_an_attestation_what_served_goes_on(champions):
    """A worse candidate reaches no DeltaOne, so nothing is attested: the only way in stays shut."""
    assert promote_day(PROGRAM, DAY, None, champions, NOON)["serves"] == "first version"
    promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    record = promote_day(PROGRAM, DAY_AFTER, None, champions, NOON)
    assert (record["outcome"], record["serves"]) == ("kept", VERSION)
    assert champions.current(PROGRAM).day == DAY


@pytest.mark.parametrize(("program", "day"), [("other", DAY), (PROGRAM, DAY_AFTER)])
def test_an_attestation_about_something_else_promotes_nothing(champions, program, day):
    with pytest.raises(ProgramError, match="is about"):
        promote_day(program, day, VERIFIED, champions, NOON)
    assert champions.current(program) is None


def test_a_day_that_is_run_again_after_a_rollback_says_what_it_said_and_does_not_undo_it(champions):
    record = promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    choose(champions, BASELINE, DAY_AFTER)
    assert promote_day(PROGRAM, DAY, VERIFIED, champions, NOON) == record
    assert champions.before(PROGRAM, DAY) is None
    assert champions.current(PROGRAM).version == BASELINE


def test_after_a_rollback_the_next_attestation_over_what_serves_promotes(champions):
    promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    choose(champions, BASELINE, DAY_AFTER)
    better = attested("2026-11-23", BASELINE, "b" * 64)
    record = promote_day(PROGRAM, "2026-11-23", better, champions, NOON)
    assert (record["outcome"], record["serves"]) == ("regained", "b" * 64)
    assert champions.current(PROGRAM).version == "b" * 64


def test_after_a_rollback_a_gain_over_what_was_rolled_back_promotes_nothing(champions):
    promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    choose(champions, BASELINE, DAY_AFTER)
    with pytest.raises(ProgramError, match="nothing is promoted or paid"):
        promote_day(PROGRAM, "2026-11-23", attested("2026-11-23", VERSION, "b" * 64), champions, NOON)
    late = promote_day(PROGRAM, DAY_AFTER, attested(DAY_AFTER, VERSION, "b" * 64), champions, NOON)
    assert late["outcome"] == "superseded"
    assert champions.current(PROGRAM).version == BASELINE


def paid(champions, ledger, evidence, day, verified):
    """What a day's last two stages do: promote, then pay. Returns the amounts of the day."""
    champion = promote_day(PROGRAM, day, verified, champions, NOON)
    books = Books(Payouts(ledger), evidence.put, evidence.get)
    record = pay_attested(PROGRAM, day, verified, champion, PAYOUT, books)
    plan = record["plan"] or {"payments": [], "escrow": []}
    return sum(int(each["amount"]) for each in [*plan["payments"], *plan["escrow"]]), record["reason"]


def test_rolling_back_and_winning_the_same_gain_again_pays_once(champions, ledger, evidence):
    """The gain is real, it is over what serves, on fresh items and another day; and it was paid for already."""
    v2, v3 = "2" * 64, "3" * 64
    assert paid(champions, ledger, evidence, DAY, VERIFIED)[0] == 1000
    choose(champions, BASELINE, DAY_AFTER)
    amount, why = paid(champions, ledger, evidence, "2026-11-23", attested("2026-11-23", BASELINE, VERSION))
    assert (amount, "winning it back is not paid again" in why) == (0, True)
    choose(champions, BASELINE, "2026-11-24")
    assert paid(champions, ledger, evidence, "2026-11-25", attested("2026-11-25", BASELINE, v2))[0] == 0
    assert sum(Payouts(ledger).totals_before(PROGRAM, TOKEN, None).values()) == 1000
    assert paid(champions, ledger, evidence, "2026-11-26", attested("2026-11-26", v2, v3))[0] == 1000
    assert paid(champions, ledger, evidence, DAY, VERIFIED)[0] == 1000
    assert sum(Payouts(ledger).totals_before(PROGRAM, TOKEN, None).values()) == 2000


def test_a_gain_that_was_revoked_unpaid_is_paid_to_who_wins_it_again(champions, ledger, evidence):
    promote_day(PROGRAM, DAY, VERIFIED, champions, NOON)
    choose(champions, BASELINE, DAY_AFTER)
    day, honest = "2026-11-23", attested("2026-11-23", BASELINE, "2" * 64)
    amount, why = paid(champions, ledger, evidence, day, honest)
    assert (amount, f"which attestation {VERIFIED.uid} of {DAY} won before and stands for" in why) == (0, True)
    Audit(ledger).append(AuditEntry("0xA", REVOKED, VERIFIED.uid, {"reason": "the holdout had leaked"}), NOON)
    record = promote_day(PROGRAM, day, honest, champions, NOON)
    assert (record["outcome"], record["attestation"]) == ("promoted", honest.uid)
    assert [paid(champions, ledger, evidence, day, honest)[0] for _ in range(2)] == [1000, 1000]
    # What is issued again only now comes too late, and says so without an error.
    again = replace(VERIFIED, uid="0x" + "6" * 64, claim=replace(VERIFIED.claim, replaces=(VERIFIED.uid,)))
    amount, why = paid(champions, ledger, evidence, DAY, again)
    assert (amount, f"lost gain 1 of {PROGRAM}: it was won again on {day}" in why) == (0, True)
    assert sum(Payouts(ledger).totals_before(PROGRAM, TOKEN, None).values()) == 1000


def test_a_worse_version_chosen_by_hand_makes_no_payable_gain_of_beating_it(champions, ledger, evidence):
    worse = "f" * 64
    paid(champions, ledger, evidence, DAY, VERIFIED)
    for day in ("2026-11-22", "2026-11-24"):
        choose(champions, worse, day, BY_HAND)
        after = f"2026-11-{int(day[-2:]) + 1}"
        assert paid(champions, ledger, evidence, after, attested(after, worse, VERSION))[0] == 0
    assert sum(Payouts(ledger).totals_before(PROGRAM, TOKEN, None).values()) == 1000
