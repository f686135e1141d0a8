"""Weights after a correction: who gave a trace is read anew, and what was withdrawn is nobody's gain."""

import json
from dataclasses import replace

import pytest

from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import read_facts, recompute_weights, write_facts
from telefine_assets.attribution.receiving import checked, entry_of
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.reweighing import reweigh
from telefine_assets.attribution.submissions import Scope, sign_submission
from telefine_assets.attribution.usage import UNSIGNED, WITHDRAWN
from telefine_assets.attribution.weighing import FactsRefused, check_facts, weigh
from telefine_assets.canonical import canonical_json
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.submissions import Submissions
from telefine_assets.settings.attribution import AttributionSettings
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.payouts.test_plan import wallet
from telefine_assets_tests.programs.examples import cleaned_tickets

REGISTER = Register(Scope("here", "tickets"), lambda digests: [])
INPUTS = {"text": "it does not open"}
CONTENT = cluster_of(INPUTS)
WALLETS = [wallet(n) for n in range(5)]
CLEANED = [replace(trace, contributor=who) for trace, who in zip(cleaned_tickets(5), WALLETS, strict=True)]
CLEANED[0] = replace(CLEANED[0], content=CONTENT)
DEMOS = [
    {
        name: getattr(trace, name)
        for name in ("trace_id", "cluster", "content", "trace_digest", "contributor", "quality_ppm")
    }
    for trace in CLEANED
]
TRAINSET = [{**demo, "side": "train"} for demo in DEMOS]
FACTS = read_facts(weigh(DEMOS, CLEANED, REGISTER).facts)


def reweighed(cleaned, trainset=TRAINSET, shows=lambda demo, trace: True, facts=FACTS, register=REGISTER):
    found = reweigh(DEMOS, trainset, facts, cleaned, register, shows)
    assert recompute_weights(found.facts) == found.table
    return found


def parts(found):
    table = found.table
    return {line.address: line.weight_ppm for line in table.lines}, {
        line.reason: line.weight_ppm for line in table.escrow
    }


def test_a_corrected_wallet_is_paid_instead_of_the_forged_one_and_no_other_changes():
    found = reweighed([replace(CLEANED[0], contributor=wallet(9)), *CLEANED[1:]])
    assert parts(found) == (dict.fromkeys([*WALLETS[1:], wallet(9)], 200_000), {})
    assert found.demos[0]["contributor"] == found.trainset[0]["contributor"] == wallet(9)
    assert found.withdrawn == ()


def test_what_does_not_stand_is_held_and_nobody_else_gets_more():
    dropped = reweighed(CLEANED[1:])
    contradicted = reweighed(CLEANED, shows=lambda demo, trace: trace != CLEANED[0])
    for found in (dropped, contradicted):
        assert parts(found) == (dict.fromkeys(WALLETS[1:], 200_000), {WITHDRAWN: 200_000})
        assert found.withdrawn == (CLEANED[0].cluster,)
        assert found.demos == DEMOS


def test_a_demo_from_before_the_window_stands_as_it_was_recorded():
    inherited = [{**TRAINSET[0], "side": "inherited"}, *TRAINSET[1:]]
    assert parts(reweighed(CLEANED[1:], inherited)) == (dict.fromkeys(WALLETS, 200_000), {})


def signing(key, at):
    """A submission for the first trace's content, as the log has it."""
    signer = LocalKeySigner(key)
    signed = sign_submission(signer, REGISTER.scope.trace_digest(CONTENT), at // 1000, "0x" + "11" * 32)
    return signer.address, [entry_of(checked(REGISTER.scope, INPUTS, signed.to_tag(), at), REGISTER.scope)]


def test_who_comes_after_the_attestation_takes_nobody_s_part(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    book = Submissions(ledger)
    register = Register(REGISTER.scope, book.of_traces)
    copy = replace(CLEANED[0], trace_id="tr-copy", contributor=wallet(9), arrival_ms=0)
    thief, late = signing("0d" * 32, 1_763_700_000_000)
    book.receive(late, 1_763_700_000_000)
    assert register.signed([CONTENT])
    found = reweighed([*CLEANED, copy], register=register)
    assert parts(found) == (dict.fromkeys(WALLETS, 200_000), {})
    # What is true of the attested facts is signed, though the log has more by now; a first attestation is not.
    check_facts(read_facts(found.facts), register, AttributionSettings(), again=True)
    with pytest.raises(FactsRefused, match="the log has 1"):
        check_facts(read_facts(found.facts), register, AttributionSettings())
    # A wallet that a trace names now is corrected, and has no precedence by what it signed since.
    mine = reweighed([replace(CLEANED[0], contributor=thief), *CLEANED[1:]], register=register)
    assert [each.submission for each in read_facts(mine.facts).arrivals] == [None] * 5
    ledger.close()


def test_who_had_signed_before_goes_before_still_and_nothing_else_may_be_said_to_be_in_the_log(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    book = Submissions(ledger)
    signer, first = signing("0d" * 32, 1_763_600_000_000)
    register = Register(REGISTER.scope, book.of_traces)
    book.receive(first, 1_763_600_000_000)
    facts = read_facts(weigh(DEMOS, CLEANED, register).facts)
    for named in (WALLETS[0], signer, wallet(9)):
        cleaned = [replace(CLEANED[0], contributor=named), *CLEANED[1:]]
        found = reweighed(cleaned, facts=facts, register=register)
        assert parts(found) == (dict.fromkeys([signer, *WALLETS[1:]], 200_000), {})
    with pytest.raises(FactsRefused, match="has 1 submissions, the log has 0"):
        check_facts(facts, REGISTER, AttributionSettings(), again=True)
    ledger.close()


@pytest.mark.parametrize("withdrawn", [["f" * 64], [], [CLEANED[0].cluster] * 2])
def test_only_clusters_of_demos_are_withdrawn_each_once(withdrawn):
    facts = json.loads(write_facts(FACTS.demos, FACTS.arrivals, FACTS.scope)) | {"withdrawn": withdrawn}
    with pytest.raises(RecordError, match="withdrawn"):
        read_facts(canonical_json(facts))


@pytest.mark.parametrize(("attested", "now"), [("escrow", "paid"), ("paid", "escrow")])
def test_another_setting_for_what_nobody_signed_for_is_no_correction(attested, now):
    facts = read_facts(weigh(DEMOS, CLEANED, replace(REGISTER, unsigned=attested)).facts)
    with pytest.raises(FactsRefused, match=f"attribution.unsigned = '{attested}', which is '{now}' now.*Set it back"):
        reweighed(CLEANED, facts=facts, register=replace(REGISTER, unsigned=now))
    corrected = [replace(CLEANED[0], contributor=wallet(9)), *CLEANED[1:]]
    found = reweighed(corrected, facts=facts, register=replace(REGISTER, unsigned=attested))
    held = attested == "escrow"
    assert parts(found) == (
        ({}, {UNSIGNED: 1_000_000}) if held else (dict.fromkeys([*WALLETS[1:], wallet(9)], 200_000), {})
    )


def test_who_is_named_as_before_is_as_he_was_attested():
    nobody = [replace(CLEANED[0], contributor=None, contributor_reason="missing"), *CLEANED[1:]]
    facts = read_facts(weigh(DEMOS, nobody, REGISTER).facts)
    otherwise = [replace(nobody[0], contributor_reason="malformed"), *CLEANED[1:]]
    assert read_facts(reweighed(otherwise, facts=facts).facts) == facts
