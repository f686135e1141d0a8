"""The audit trail: each trace of a contributor, once, with what became of it and why it was paid or not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attribution.trail_codes import MEANINGS, Code
from telefine_assets.attribution.trail_summary import all_of, summary_of
from telefine_assets_tests.attribution.trail_home import ALICE, BOB, CAROL, FRIDAY, MONDAY, TUESDAY, Home

WRONG_CASE = ALICE[:2] + ALICE[2:].swapcase()


@pytest.fixture
def home():
    return Home()


def used(home, **weights):
    """Alice's first trace is a demo of Friday's candidate."""
    home.trace("tr-1", ALICE)
    home.weigh(FRIDAY, [("tr-1", "tr-1")], **(weights or {"lines": [(ALICE, 1_000_000, ["tr-1"])]}))


def test_a_paid_trace_says_where_it_is_shown_what_it_weighs_and_what_was_paid(home):
    used(home)
    home.attest(FRIDAY)
    home.pay(FRIDAY, (ALICE, 70), (BOB, 30))
    line = home.why(ALICE)["tr-1"]
    (use,) = line.uses
    assert (line.code, line.side, line.first, line.submission) == ("paid", "train", None, None)
    assert line.told == "paid (candidate cccccccccccc of 2026-11-06, 1000000 ppm for 1 of your contents)"
    assert use.demos == [{"trace_id": "tr-1", "predictor": "answer", "position": 0}]
    assert (use.day, use.weight_ppm, use.uid, use.amount) == (FRIDAY, 1_000_000, "0x" + "a" * 64, "70")
    assert json.loads(json.dumps(line.to_record()))["uses"][0]["code"] == "paid"


@pytest.mark.parametrize(
    ("what", "code", "told"),
    [
        ({"cleaned": False}, "not_cleaned", "not yet judged"),
        ({"rule": "unlabelled"}, "dropped", "no expectation says what is right"),
        ({"split": "holdout"}, "held_out", "measure gains"),
        ({"split": "validation"}, "validation", "chosen by it"),
        ({}, "not_used", "no candidate shows it"),
    ],
)
def test_a_trace_that_no_candidate_shows_says_how_far_it_came(home, what, code, told):
    home.trace("tr-1", ALICE, **what)
    line = home.why(ALICE)["tr-1"]
    assert (line.code, line.rule) == (code, what.get("rule"))
    assert told in line.told


def test_every_day_that_a_demo_stops_at_has_its_code(home):
    used(home)
    assert home.why(ALICE)["tr-1"].code == "not_attested_yet"
    home.attest(FRIDAY, None, "DeltaOne was not reached: 0.2 pp")
    line = home.why(ALICE)["tr-1"]
    assert (line.code, "0.2 pp" in line.told) == ("not_reached", True)
    home.attest(FRIDAY)
    assert home.why(ALICE)["tr-1"].code == "not_paid_yet"
    home.pay(FRIDAY, reason="nothing is paid: the attestation is revoked")
    line = home.why(ALICE)["tr-1"]
    assert (line.code, "revoked" in line.told) == ("not_paid", True)
    home.pay(FRIDAY, (BOB, 100))
    assert home.why(ALICE)["tr-1"].code == "below_dust"


def test_a_demo_that_helps_nobody_says_what_it_was_worth(home):
    worth = [{"cluster": "tr-1", "value_ppm": -40, "error_ppm": 900}]
    used(home, worth=worth, lines=[(BOB, 1_000_000, ["x"])])
    line = home.why(ALICE)["tr-1"]
    assert (line.code, line.uses[0].worth) == ("no_weight", {"value_ppm": -40, "error_ppm": 900})
    assert "worth -40 +- 900 ppm an item" in line.told


def test_an_unsigned_trace_that_is_held_in_escrow_says_so(home):
    used(home, escrow=[("unsigned_submission", 1_000_000, ["tr-1"])])
    line = home.why(ALICE)["tr-1"]
    assert (line.code, line.uses[0].held, "unsigned_submission" in line.told) == (
        "in_escrow",
        "unsigned_submission",
        True,
    )


def test_the_best_of_several_days_counts(home):
    used(home)
    home.attest(FRIDAY, None)
    home.weigh(TUESDAY, [("tr-1", "tr-1")], [(ALICE, 400_000, ["tr-1"]), (BOB, 600_000, ["x"])])
    home.attest(TUESDAY)
    home.pay(TUESDAY, (ALICE, 4), (BOB, 6))
    line = home.why(ALICE)["tr-1"]
    assert (line.code, [use.code for use in line.uses]) == ("paid", ["paid", "not_reached"])
    assert TUESDAY in line.told


def test_weights_of_another_candidate_than_the_days_say_nothing(home):
    used(home)
    home.record("compiled_programs", FRIDAY, candidate="d" * 64, demos=[])
    assert home.why(ALICE)["tr-1"].code == "not_used"


def test_a_later_copy_names_the_first_trace_but_not_a_stranger(home):
    home.trace("tr-1", BOB, content="x")
    home.trace("tr-2", ALICE, TUESDAY, content="x")
    line = home.why(ALICE)["tr-2"]
    assert (line.code, line.first, line.first_of) == ("copy", "tr-1", None)
    assert BOB not in json.dumps(line.to_record())
    home.weigh(FRIDAY, [("tr-2", "x")], [(BOB, 1_000_000, ["x"])])
    assert home.why(ALICE)["tr-2"].first_of is None
    home.attest(FRIDAY)
    line = home.why(ALICE)["tr-2"]
    assert (line.first_of, line.told.endswith(f"tr-1, of {BOB}")) == (BOB, True)
    # The copy is what the candidate shows; the first is paid for it.
    assert home.why(BOB)["tr-1"].code == "not_paid_yet"


def test_a_copy_of_oneself_is_named_and_the_first_is_paid(home):
    home.trace("tr-1", ALICE.lower(), content="x")
    home.trace("tr-2", ALICE, TUESDAY, content="x")
    home.weigh(FRIDAY, [("tr-2", "x")], [(ALICE, 1_000_000, ["x"])])
    home.attest(FRIDAY)
    home.pay(FRIDAY, (ALICE, 5))
    lines = home.why(ALICE)
    assert (lines["tr-1"].code, lines["tr-2"].code) == ("paid", "copy")
    assert (lines["tr-2"].first, lines["tr-2"].first_of) == ("tr-1", ALICE)


def test_a_logged_submission_comes_before_an_earlier_arrival(home):
    home.trace("tr-1", BOB, content="x")
    home.trace("tr-2", ALICE, TUESDAY, content="x")
    home.sign("elsewhere", CAROL)
    home.sign("x", ALICE)
    line = home.why(ALICE)["tr-2"]
    assert (line.code, line.submission) == ("not_used", 1)
    assert home.why(BOB)["tr-1"].first == "tr-2"


def test_a_submission_of_another_contributor_is_nobody_elses(home):
    home.trace("tr-1", ALICE, content="x")
    home.sign("x", BOB)
    assert home.why(ALICE)["tr-1"].submission is None


def test_what_the_weights_gave_to_somebody_stands_whatever_is_seen_since(home):
    """The window of a day's weights may not have held the trace that was the very first."""
    home.trace("tr-1", BOB, content="x")
    home.trace("tr-2", ALICE, TUESDAY, content="x")
    home.weigh(FRIDAY, [("tr-2", "x")], [(ALICE, 1_000_000, ["x"])])
    assert home.why(ALICE)["tr-2"].code == "not_attested_yet"
    line = home.why(BOB)["tr-1"]
    assert (line.code, line.first, FRIDAY in line.told) == ("copy", None, True)


def test_a_tag_with_a_wrong_checksum_is_shown_to_whose_digits_it_has(home):
    home.trace("tr-1", WRONG_CASE)
    line = home.why(ALICE)["tr-1"]
    assert (line.code, "bad_checksum" in line.told) == ("unresolved", True)


def test_a_tag_that_was_changed_after_cleaning_waits_for_the_next(home):
    home.trace("tr-1", BOB)
    home.traces[MONDAY][0]["tags"] = json.dumps({"telefine.contributor": ALICE})
    assert home.why(ALICE)["tr-1"].code == "not_cleaned"


def test_only_the_days_asked_for_are_told(home):
    home.trace("tr-1", ALICE)
    home.trace("tr-2", ALICE, TUESDAY)
    assert home.why(ALICE, [TUESDAY]).keys() == {"tr-2"}


SPELLINGS = st.sampled_from([str, str.lower, lambda each: "0x" + each[2:].upper(), lambda each: f" {each}\t"])


@given(st.lists(st.tuples(st.sampled_from([ALICE, BOB, None]), SPELLINGS, st.sampled_from("xyz"), st.booleans())))
def test_every_trace_that_names_a_wallet_is_told_once_and_no_other(traces):
    home = Home()
    for number, (who, spelt, content, late) in enumerate(traces):
        day = TUESDAY if late else MONDAY
        home.trace(f"tr-{number}", who and spelt(who), day, content, at=number)
    lines = home.why(ALICE)
    mine = {f"tr-{number}" for number, (who, *_) in enumerate(traces) if who == ALICE}
    assert lines.keys() == mine
    # Of each content one trace is the first of all: the others are copies of it.
    firsts = {content: f"tr-{number}" for number, (_, _, content, _) in reversed(list(enumerate(traces)))}
    for number, (_, _, content, _) in enumerate(traces):
        line = lines.get(f"tr-{number}")
        assert line is None or (line.first or line.trace_id) == firsts[content]


def test_every_code_is_said_in_words():
    assert MEANINGS.keys() == set(Code)


def test_a_page_sums_up_what_was_given_and_earned(home):
    used(home)
    home.attest(FRIDAY)
    home.pay(FRIDAY, (ALICE, 70))
    counts = {"given": 3, "kept": 1, "dropped": {"unlabelled": 2}}
    other = {"given": 1, "kept": 1, "dropped": {}}
    home.record(
        "cleaned_traces", MONDAY, contributors={ALICE: counts, WRONG_CASE: other, "(none)": counts, "b.eth": other}
    )
    home.record("cleaned_traces", TUESDAY, contributors={ALICE: counts})
    found = summary_of(home.stored.records, "triage", ALICE, 70, lambda day: home.standing)
    assert (found.given, found.kept, found.dropped, found.misspelt, found.earned) == (6, 2, {"unlabelled": 4}, 1, "70")
    (day,) = found.days
    assert (day.day, day.weight_ppm, day.outcome, day.amount, len(day.demos)) == (FRIDAY, 1_000_000, "planned", "70", 1)
    assert not summary_of(home.stored.records, "triage", CAROL, 0, lambda day: home.standing).known
    listed = all_of(home.stored.records, "triage", {ALICE: 70, CAROL: 80})
    assert [(each.who, each.given, each.earned) for each in listed] == [
        (CAROL, 0, "80"),
        (ALICE, 6, "70"),
        *sorted([(WRONG_CASE, 1, "0"), ("b.eth", 1, "0")]),
    ]
