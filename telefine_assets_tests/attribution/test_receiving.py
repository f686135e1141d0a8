"""From the tags of a cleaned day into the log, from the log into weights, and from their evidence to weights again."""

import json
from contextlib import closing
from dataclasses import replace

import pytest

from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import read_facts, recompute_weights
from telefine_assets.attribution.receiving import receive_submission, receive_tagged
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.submissions import Scope, SubmissionRefused
from telefine_assets.attribution.trials import hold
from telefine_assets.attribution.usage import AttributionError
from telefine_assets.attribution.weighing import FactsRefused, check_facts, weigh
from telefine_assets.attribution.weights import FULL_PPM
from telefine_assets.canonical import canonical_json
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.submissions import Submissions
from telefine_assets.settings.attribution import AttributionSettings
from telefine_assets.traces.records import cleaned_to_table
from telefine_assets_tests.attribution.signing import ADA, BOB, NOW_MS, NOW_S, SCOPE, signed, trace


@pytest.fixture
def book():
    with closing(Ledger("sqlite://")) as ledger:
        yield Submissions(ledger)


def receive(book, traces, scope=SCOPE):
    found = receive_tagged(cleaned_to_table(traces), scope, lambda: book, NOW_MS)
    return found.logged, {str(code): count for code, count in found.refused.items()}


def paid(book, traces, used=("tr-1",), unsigned="paid", scope=SCOPE):
    demos = [
        {"cluster": t.cluster, "trace_id": t.trace_id, "quality_ppm": 1_000_000} for t in traces if t.trace_id in used
    ]
    weighed = weigh(demos, traces, Register(scope, book.of_traces, unsigned))
    table = weighed.table
    return {line.address: line.weight_ppm for line in table.lines} | {
        e.reason: e.weight_ppm for e in table.escrow
    }, weighed


def test_a_day_without_tags_does_not_open_the_ledger():
    table = cleaned_to_table([trace(1, "hello", ADA.address)])
    assert receive_tagged(table, SCOPE, lambda: pytest.fail("opened"), NOW_MS).logged == 0
    assert receive_tagged(cleaned_to_table([]), SCOPE, lambda: pytest.fail("opened"), NOW_MS).logged == 0


def test_good_tags_are_logged_in_order_bad_ones_are_counted_and_a_rerun_adds_nothing(book):
    traces = [
        trace(1, "hello", BOB.address, signed("hello", BOB).to_tag()),
        trace(2, "hello", ADA.address, signed("hello", ADA).to_tag()),
        trace(3, "there", ADA.address, signed("hello", ADA).to_tag()),
        trace(4, "hello", BOB.address, signed("hello", ADA).to_tag()),
        trace(5, "hello", None, signed("hello", ADA).to_tag()),
        trace(6, "you", ADA.address, "signed, Ada"),
        trace(7, "again", ADA.address, signed("again", time=NOW_S + 3600).to_tag()),
        trace(8, "nothing", ADA.address),
    ]
    expected = 2, {"bad_signature": 1, "wrong_contributor": 2, "malformed": 1, "from_the_future": 1}
    assert receive(book, traces) == expected
    assert [row.entry.contributor for row in book.rows()] == [BOB.address, ADA.address]
    before = book.rows()
    assert receive(book, traces) == expected
    assert book.rows() == before


@pytest.mark.parametrize("unsigned", ["paid", "escrow"])
@pytest.mark.parametrize(
    "left",
    [
        [trace(1, "hello", BOB.address)],
        [replace(trace(1, "hello", None), contributor_reason="bad_checksum"), trace(9, "hello", BOB.address)],
        [trace(9, "hello", BOB.address)],
    ],
    ids=["the tag written over", "the tag broken, and a copy", "gone from the window, and a copy"],
)
def test_whoever_is_first_in_the_log_is_paid_whatever_became_of_his_trace(book, left, unsigned):
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", ADA).to_tag(), NOW_MS)
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", BOB).to_tag(), NOW_MS)
    found, weighed = paid(book, left, {each.trace_id for each in left}, unsigned)
    assert found == {ADA.address: FULL_PPM}
    assert recompute_weights(weighed.facts) == weighed.table


BY_USE = AttributionSettings()
BY_WORTH = AttributionSettings(method="shapley")


def first_and_second_swapped(facts):
    for each, position in zip(facts["arrivals"], (1, 0), strict=True):
        each["submission"]["position"] = position


def one_signature_forgotten(facts):
    facts["arrivals"][0]["submission"] = None


def trials_invented(facts):
    clusters = sorted({demo["cluster"] for demo in facts["demos"]})
    trials = hold(clusters, 64, 0, [("i", "g")], lambda coalition: [len(coalition)], lambda done, of: None)
    facts["trials"] = trials.to_record()


@pytest.mark.parametrize(
    ("forge", "settings", "words"),
    [
        (first_and_second_swapped, BY_USE, "they are not the same"),
        (one_signature_forgotten, BY_USE, "they are not the same"),
        (trials_invented, BY_USE, "attribution says usage"),
        (lambda facts: None, BY_WORTH, "of no trials"),
        (trials_invented, BY_WORTH, r"\(64, 0\), attribution says \(400, 0\)"),
    ],
)
def test_facts_that_a_changed_store_would_have_signed_are_refused(book, forge, settings, words):
    for who in (ADA, BOB):
        receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", who).to_tag(), NOW_MS)
    traces = [trace(1, "hello", ADA.address), trace(2, "hello", BOB.address)]
    facts = json.loads(paid(book, traces)[1].facts)
    register = Register(SCOPE, book.of_traces)
    check_facts(read_facts(canonical_json(facts)), register, BY_USE)
    forge(facts)
    with pytest.raises(FactsRefused, match=words):
        check_facts(read_facts(canonical_json(facts)), register, settings)


@pytest.mark.parametrize("unsigned", ["paid", "escrow"])
def test_what_becomes_of_unsigned_traces_is_what_the_settings_say(book, unsigned):
    facts = read_facts(paid(book, [trace(1, "hello", ADA.address)], unsigned=unsigned)[1].facts)
    register = Register(SCOPE, book.of_traces)
    for said in ("paid", "escrow"):
        settings = AttributionSettings(unsigned=said)
        if said == unsigned:
            check_facts(facts, register, settings)
        else:
            with pytest.raises(FactsRefused, match=f"attribution.unsigned = '{said}'"):
                check_facts(facts, register, settings)


def test_an_inherited_demos_trace_id_that_stands_for_another_content_by_now_stops_nobodys_pay(book):
    """Its own trace has left the window; who logs the id again, under a used content, is not its giver."""
    mine, again = trace(1, "hello", ADA.address), trace(9, "there", BOB.address)
    shown = {"quality_ppm": 1_000_000, "contributor": ADA.address}
    demos = [
        {"cluster": mine.cluster, "content": mine.content, "trace_id": mine.trace_id, **shown},
        {"cluster": "gone", "content": "ab" * 32, "trace_id": again.trace_id, **shown},
    ]
    table = weigh(demos, [mine, replace(again, cluster=mine.cluster)], Register(SCOPE, book.of_traces)).table
    assert {line.address: line.weight_ppm for line in table.lines} == {ADA.address: FULL_PPM}


def test_a_signature_for_what_no_trace_says_counts_for_nothing(book):
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", ADA).to_tag(), NOW_MS)
    traces = [trace(1, "hello", BOB.address)]
    facts = json.loads(paid(book, traces)[1].facts)
    (logged,) = (each for each in facts["arrivals"] if each["trace_id"] == "submission:0")
    facts["arrivals"] = [logged, *({**each, "content": "0" * 64} for each in facts["arrivals"] if each is not logged)]
    with pytest.raises(RecordError, match="no trace of its cluster has this content"):
        recompute_weights(canonical_json(facts))


def test_a_forged_signature_of_what_is_logged_is_refused_all_the_same(book):
    good = signed("hello")
    forged = json.loads(good.to_tag())
    forged["signature"]["s"] = "0x" + "01" * 32
    traces = [trace(1, "hello", ADA.address, good.to_tag()), trace(2, "hello", ADA.address, json.dumps(forged))]
    assert receive(book, traces) == receive(book, traces) == (1, {"bad_signature": 1})


def test_more_tags_than_one_lookup_takes_are_all_logged(book):
    tag = signed("hello").to_tag()
    traces = [trace(number, "hello", ADA.address, tag) for number in range(1, 1203)]
    assert receive(book, traces) == (1202, {})
    assert len(book.rows()) == 1


def test_the_first_in_the_log_is_paid_whatever_times_are_claimed(book):
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", ADA).to_tag(), NOW_MS)
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", BOB, time=1).to_tag(), NOW_MS + 1)
    traces = [trace(1, "hello", BOB.address, arrival_ms=-9), trace(2, "hello", ADA.address, arrival_ms=9)]
    assert paid(book, traces)[0] == {ADA.address: 1_000_000}


def test_a_near_copy_of_a_signed_trace_comes_after_it(book):
    receive_submission(book, SCOPE, {"text": "hello you"}, signed("hello you", ADA).to_tag(), NOW_MS)
    receive_submission(book, SCOPE, {"text": "hello you there"}, signed("hello you there", BOB).to_tag(), NOW_MS)
    traces = [trace(1, "hello you there", BOB.address), trace(2, "hello you", ADA.address)]
    assert paid(book, traces)[0] == {ADA.address: 1_000_000}


def test_a_signature_in_the_log_outweighs_the_tag_of_a_trace_that_nobody_signed_for(book):
    """The hole that is stated: tags can be written over, so they prove nothing against it."""
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", BOB).to_tag(), NOW_MS)
    traces = [trace(1, "hello", ADA.address), trace(2, "other", BOB.address)]
    assert paid(book, traces)[0] == {BOB.address: 1_000_000}


def test_another_program_or_deployment_takes_no_notice(book):
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", BOB).to_tag(), NOW_MS)
    traces = [trace(1, "hello", ADA.address), trace(2, "hello", BOB.address)]
    assert paid(book, traces)[0] == {BOB.address: 1_000_000}
    for scope in (Scope("shop", "other"), Scope("other", "tickets")):
        assert paid(book, traces, scope=scope)[0] == {ADA.address: 1_000_000}


def test_where_all_must_sign_the_others_shares_wait_in_escrow_and_no_signed_share_changes(book):
    receive_submission(book, SCOPE, {"text": "hello"}, signed("hello", BOB).to_tag(), NOW_MS)
    traces = [trace(1, "hello", BOB.address), trace(2, "there", ADA.address), trace(3, "you", None)]
    used = ("tr-1", "tr-2", "tr-3")
    expected = {BOB.address: 333_334, ADA.address: 333_333, "missing": 333_333}
    assert paid(book, traces, used)[0] == expected
    expected["unsigned_submission"] = expected.pop(ADA.address)
    assert paid(book, traces, used, "escrow")[0] == expected


def test_what_is_handed_in_for_other_inputs_is_refused_and_not_logged(book):
    with pytest.raises(SubmissionRefused, match="bad_signature"):
        receive_submission(book, SCOPE, {"text": "hello!"}, signed("hello").to_tag(), NOW_MS)
    assert book.rows() == []


@pytest.fixture
def facts(book):
    for text, who in (("hello", ADA), ("there", BOB)):
        receive_submission(book, SCOPE, {"text": text}, signed(text, who).to_tag(), NOW_MS)
    traces = [trace(1, "hello", ADA.address), trace(2, "there", BOB.address), trace(3, "there", ADA.address)]
    weighed = paid(book, traces, ("tr-1", "tr-2"))[1]
    assert recompute_weights(weighed.facts) == weighed.table
    return json.loads(weighed.facts)


def forged_position(facts):
    facts["arrivals"][1]["submission"]["position"] = 0


def another_program(facts):
    facts["program"] = "other"


def another_origin(facts):
    facts["origin"] = "other"


def another_content(facts):
    facts["arrivals"][0]["content"] = facts["arrivals"][1]["content"]


def no_content(facts):
    facts["arrivals"][0]["content"] = None


def another_payee(facts):
    facts["arrivals"][0]["contributor"] = BOB.address


def unresolved(facts):
    facts["arrivals"][0]["reason"] = "missing"


def stolen(facts):
    facts["arrivals"][0]["contributor"] = facts["arrivals"][0]["submission"]["contributor"] = BOB.address


def moved_to_an_unsigned_trace(facts):
    facts["arrivals"][2]["submission"] = facts["arrivals"][0]["submission"]


def signed_later(facts):
    facts["arrivals"][0]["submission"]["time"] += 1


def received_before_it_was_signed(facts):
    facts["arrivals"][0]["submission"]["received_ms"] = 0


def malleated(facts):
    signature = facts["arrivals"][0]["submission"]["signature"]
    signature["v"] = 55 - signature["v"]


def more_fields(facts):
    facts["arrivals"][0]["submission"]["note"] = "first"


def one_held_and_one_not(facts):
    facts["arrivals"][2]["submission"] = None
    facts["arrivals"].append({**facts["arrivals"][2], "trace_id": "tr-4", "reason": "unsigned_submission"})


@pytest.mark.parametrize(
    ("tamper", "error", "words"),
    [
        (forged_position, AttributionError, "two submissions at position 0"),
        (another_program, SubmissionRefused, "bad_signature"),
        (another_origin, SubmissionRefused, "bad_signature"),
        (another_content, SubmissionRefused, "bad_signature"),
        (no_content, RecordError, "content: is missing"),
        (another_payee, SubmissionRefused, "wrong_contributor"),
        (unresolved, AttributionError, "of no wallet"),
        (stolen, SubmissionRefused, "bad_signature"),
        (moved_to_an_unsigned_trace, SubmissionRefused, "bad_signature"),
        (signed_later, SubmissionRefused, "bad_signature"),
        (received_before_it_was_signed, SubmissionRefused, "from_the_future"),
        (malleated, SubmissionRefused, "bad_signature"),
        (more_fields, RecordError, "is not a field"),
        (one_held_and_one_not, AttributionError, "Hold all, or none"),
    ],
)
def test_a_forged_submission_in_the_evidence_is_refused(facts, tamper, error, words):
    assert issubclass(error, TelefineError)
    tamper(facts)
    with pytest.raises(error, match=words):
        recompute_weights(canonical_json(facts))


def test_the_evidence_holds_no_text_and_nobody_who_has_no_part_in_it(book):
    receive_submission(book, SCOPE, {"text": "other"}, signed("other", BOB).to_tag(), NOW_MS)
    traces = [trace(1, "hello", ADA.address, inputs='{"text":"hello"}'), trace(2, "other", BOB.address)]
    facts = paid(book, traces)[1].facts
    assert BOB.address.encode() not in facts
    assert b"text" not in facts
