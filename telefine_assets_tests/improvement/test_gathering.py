"""What is read: only what is stored, of these days, and nothing that must stay hidden."""

from dataclasses import replace
from datetime import date

import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import Rules
from telefine_assets.errors import TelefineError
from telefine_assets.improvement import totals
from telefine_assets.improvement.report import facts_of, report_of
from telefine_assets.improvement.summary import summary_of
from telefine_assets.ledger.records import Spending, Work
from telefine_assets_tests.cli.attested_home import ALICE, BOB
from telefine_assets_tests.deltaone.rows import look
from telefine_assets_tests.deltaone.told import record_of, tickets
from telefine_assets_tests.improvement.home import FAILED, LAST, MISSING, PPM, REACHED, TwoWeeks, day_of


def test_a_day_without_a_record_is_missing_and_no_zero(weeks):
    found = weeks.gathered()
    assert [day.day for day in found.this.days] == [day_of(number) for number in range(9, 16)]
    assert (found.this.missing, len(found.this.made)) == ([MISSING], 6)
    assert found.before.missing == []
    assert facts_of(weeks.gathered(MISSING, 1))["this"]["traces"] is None


def test_every_number_is_that_of_the_stored_records(weeks):
    this = weeks.gathered().this
    records = [weeks.records.find("triage", "cleaned_traces", day_of(number)) for number in range(9, 16)]
    assert this.traces == sum(each["traces_in"] for each in records if each)
    assert totals.dropped(this) == {"failed": 18, "raters_disagree": 6}
    cost = totals.cost(this.spent)
    assert (cost.calls, cost.cost_micros, cost.tokens) == (1_200 + 300, 2_345_678 + 500_000, 500_000)
    assert this.compared == 928 + 92
    assert totals.contributors(this)[ALICE].demos == 4
    assert totals.weights(this) == (REACHED, {ALICE: 600_000, BOB: 150_000, "(none)": 250_000})
    paid = weeks.records.find("triage", "contributor_payouts", REACHED)["plan"]
    assert sum(totals.granted(this).values()) == int(paid["pool"])
    assert [each.version for each in this.promoted] == [found.version for found in [weeks.gathered().serves]]


def test_the_first_days_of_a_deployment_have_fewer_before_them(weeks):
    found = weeks.gathered(day_of(8))
    assert (found.this.days[0].day, found.before.days) == (day_of(2), ())
    assert len(weeks.gathered(day_of(10)).before.days) == 2
    with pytest.raises(TelefineError, match="before the first day of the deployment, 2026-11-02"):
        weeks.gathered("2026-11-01")


def test_of_money_that_is_not_known_no_sum_is_made(empty):
    empty.spend(LAST, "compiled_programs", 10, 5)
    empty.spend(LAST, "contributor_weights", 10, None, tokens=None)
    cost = totals.cost(empty.gathered().this.spent)
    assert (cost.calls, cost.cost_micros, cost.tokens) == (20, None, None)
    assert "unknown" in summary_of(empty.gathered()).text


def test_of_what_comparisons_cost_nothing_is_told_but_how_many_answers_they_needed(empty):
    """How many answers were remembered, and a judge's tokens, tell of a holdout in use."""
    work, seen = Work("triage", "deltaone_reports", LAST, "run"), []
    for calls, remembered, tokens in ((5, 24, 800), (29, 0, 2_900)):
        told = Spending(work, calls, remembered, tokens, 10 * tokens, tokens)
        sources = replace(empty.sources(), spent=lambda *_, told=told: [told])
        found = empty.gathered(sources=sources)
        assert found.this.compared == 29
        made = report_of(found)
        seen.append((facts_of(found), made.files["report.md"]))
    assert seen[0] == seen[1]


def test_a_payout_counts_for_its_own_day_alone(tmp_path):
    weeks = TwoWeeks(tmp_path).fill()
    paid = weeks.records.find("triage", "contributor_payouts", REACHED)
    weeks.records.write("triage", "contributor_payouts", LAST, paid)
    (today,) = [each for each in weeks.gathered().this.days if each.day == LAST]
    assert (today.paid, today.unpaid) == (None, "the record of its payout is not what the ledger has")


def test_a_look_that_failed_tells_no_score(empty):
    """Two candidates that did very differently on the living holdout give the same report."""
    seen = []
    for losses, digest in ((43, "1"), (33, "2")):
        items = tickets(63 - losses, losses, 420, 0)
        record = record_of(decide(items, Rules(min_power_ppm=0), look(3)), evidence={"report.json": digest * 64})
        assert not record["reached"]
        empty.records.write("triage", "deltaone_reports", FAILED, record)
        seen.append(canonical_json(facts_of(empty.gathered())))
    assert seen[0] == seen[1]
    assert b"none reached DeltaOne" in seen[0]


def test_the_scores_of_held_out_traces_change_nothing(empty):
    from telefine_assets.traces.records import cleaned_to_table
    from telefine_assets_tests.attribution.signing import trace

    seen = []
    for hidden in (0, PPM):
        rows = [trace(at, f"asked {at}", ALICE, day=LAST, score_ppm=PPM // 2) for at in range(40)]
        rows.append(trace(99, "held out", ALICE, day=LAST, score_ppm=hidden, split="holdout"))
        empty.tables.write("triage", "cleaned_traces", LAST, cleaned_to_table(rows))
        seen.append(facts_of(empty.gathered()))
    assert seen[0] == seen[1]
    assert seen[0]["this"]["scored"] == 40


def test_a_payout_counts_as_the_ledger_has_it(empty):
    empty.attest(REACHED, [ALICE, BOB])
    record = empty.pay(REACHED)
    assert totals.granted(empty.gathered().this)
    payments = [{**each, "amount": "9" * 20} for each in record["plan"]["payments"]]
    forged = {**record, "plan": {**record["plan"], "payments": payments}}
    empty.records.write("triage", "contributor_payouts", REACHED, forged)
    found = empty.gathered()
    assert not totals.granted(found.this)
    assert [day.unpaid for day in found.this.days if day.unpaid] == [
        "the record of its payout is not what the ledger has"
    ]


def test_a_record_that_no_stage_writes_is_named(empty):
    empty.records.write("triage", "compiled_programs", LAST, {"outcome": "candidate"})
    with pytest.raises(TelefineError, match=f"triage/compiled_programs for {LAST} lacks '"):
        empty.gathered()


def test_what_was_promoted_later_does_not_serve_yet(weeks):
    before = weeks.gathered(day_of(11))
    assert (before.serves, before.this.promoted) == (None, ())
    assert date.fromisoformat(weeks.gathered().serves.day) == date.fromisoformat(REACHED)
