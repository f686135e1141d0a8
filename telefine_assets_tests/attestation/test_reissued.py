"""An attestation that is issued again: it is about the same look, can only shrink, and never stands beside another."""

import json
from dataclasses import replace

import pytest

from telefine_assets.attestation.alone import NotAlone
from telefine_assets.attestation.attesting import ATTESTED, REVOKED, attest_claim, attest_records, claim_of
from telefine_assets.attestation.bundle import AttestationBundle, message_of
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.files import DEMOS, REPORT, ROWS, TRAINSET, EvidenceContradiction, read_comparison
from telefine_assets.attestation.log_records import Revocation
from telefine_assets.attestation.reissued import (
    REPLACED,
    REPLACED_DEMOS,
    REPLACED_FACTS,
    REPLACED_REPORT,
    REPLACED_ROWS,
    REPLACED_STATEMENT,
    REPLACED_TRAINSET,
    recheck,
    reissue_statement,
)
from telefine_assets.attestation.reissuing import EXCEEDS_REVOKED, NotReissued, Now, reissue
from telefine_assets.attestation.statement import build_statement, parse_statement
from telefine_assets.attestation.verify import verify_bundle
from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import FACTS_FILE
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.submissions import Scope
from telefine_assets.canonical import canonical_json, canonical_lines, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.traces.records import json_text
from telefine_assets_tests.attestation.example import ATTESTER, NOW, STRANGER
from telefine_assets_tests.attestation.example import recheck as example_recheck
from telefine_assets_tests.attestation.logs import CLAIM as EXAMPLE
from telefine_assets_tests.attestation.logs import EVIDENCE, World
from telefine_assets_tests.attestation.test_attesting import CLAIM, FILES, MONDAY, Deployment
from telefine_assets_tests.programs.examples import cleaned_tickets, tickets_spec
from telefine_assets_tests.programs.tickets import TEAMS

UID = message_of(CLAIM).uid
SPEC = tickets_spec()


def reissued(files=FILES, claim=CLAIM, wins_lost=3, reason="a label was wrong", **changed):
    """Evidence of the attestation again, by which so many items are won no more."""
    rows, rules, look = read_comparison(files)
    won = [row for row in rows if row.candidate_ppm > row.baseline_ppm][:wins_lost]
    rows = [replace(row, candidate_ppm=row.baseline_ppm) if row in won else row for row in rows]
    report = json.loads(files[REPORT]) | {"decision": decide(rows, rules, look).to_record()}
    return files | {
        ROWS: canonical_lines(row.to_record() for row in rows),
        REPORT: canonical_json(report),
        REPLACED_STATEMENT: reissue_statement(build_statement(claim), reason),
        REPLACED_ROWS: files[ROWS],
        REPLACED_REPORT: files[REPORT],
        REPLACED_FACTS: files[FACTS_FILE],
    } | changed  # fmt: skip


def record_of(deployment, files):
    """The record from which the day's attestation is made again."""
    for content in files.values():
        deployment.evidence[sha256_hex(content)] = content
    return {"evidence": {name: sha256_hex(content) for name, content in files.items()}, "sentence": "again"}


def attest(deployment, files, before=None):
    evidence = {name: sha256_hex(content) for name, content in FILES.items()}
    stages = {"deltaone_reports": {"evidence": evidence, "reached": True, "sentence": "so it is"}}
    reissue = record_of(deployment, files)
    return attest_records(deployment.attester(), "triage", MONDAY, stages, before, reissue)


def test_only_what_was_revoked_is_issued_again_and_then_one_of_both_is_in_force():
    deployment = Deployment()
    first = deployment.attest()
    with pytest.raises(VerificationFailed, match=r"replaced_not_revoked.*telefine attest revoke"):
        attest(deployment, reissued(), first)
    assert len(deployment.leaves.leaves()) == 2
    deployment.say(ATTESTER, Revocation(first["uid"], "wrong feedback"))
    again = attest(deployment, reissued(), first)
    assert (again["outcome"], again["reason"], again["log_index"]) == (ATTESTED, "again", 3)
    assert attest(deployment, reissued(), again) == again
    assert [deployment.standing(each).outcome for each in (first, again)] == [REVOKED, ATTESTED]
    with pytest.raises(NotAlone, match=f"{again['uid']} of triage {MONDAY} is in the log, and in force"):
        attest(deployment, reissued(wins_lost=4), again)
    claim = deployment.standing(again).verified.claim
    assert claim.replaces == (first["uid"],)
    assert claim.decision.delta_ppm < CLAIM.decision.delta_ppm
    assert parse_statement(build_statement(claim)) == claim


def test_what_was_issued_again_can_be_revoked_and_issued_again_too_and_names_both():
    files = reissued()
    claim = claim_of("triage", MONDAY, files)
    twice = {name: content for name, content in files.items() if name not in REPLACED}
    found = recheck(reissued(twice, claim, wins_lost=2))
    assert found["replaces"] == [UID, message_of(claim).uid]
    # From the first one's evidence, what was lost on the way could come back.
    with pytest.raises(EvidenceContradiction, match="sha256"):
        recheck(reissued(FILES, claim))


def changed_row(files, number=0, **changes):
    rows = [json.loads(line) for line in files[ROWS].splitlines()]
    rows[number] |= changes
    return {ROWS: canonical_lines(rows)}


def decided(files):
    """The files with the report that their rows give."""
    rows, rules, look = read_comparison(files)
    report = json.loads(files[REPORT]) | {"decision": decide(rows, rules, look).to_record()}
    return files | {REPORT: canonical_json(report)}


def graded(tie=500_000, outlier=10**6):
    """Every item is better by 1.2 points, the first one by far; the second is a tie."""
    rows, *_ = read_comparison(FILES)
    scores = [(0, outlier), (tie, tie), *[(500_000, 512_000)] * (len(rows) - 2)]
    rows = [replace(row, baseline_ppm=low, candidate_ppm=up) for row, (low, up) in zip(rows, scores, strict=True)]
    return decided(FILES | {ROWS: canonical_lines(row.to_record() for row in rows)})


def instead_of(before, now):
    """The evidence by which one comparison is issued again as another."""
    stated = build_statement(claim_of("triage", MONDAY, before))
    return now | {
        REPLACED_STATEMENT: reissue_statement(stated, "a label"), REPLACED_ROWS: before[ROWS],
        REPLACED_REPORT: before[REPORT], REPLACED_FACTS: before[FACTS_FILE],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"outlier": 10**6}, {"outlier": 0}, "the lower bound of .* exceeds the one that was revoked"),
        ({"tie": 500_080}, {"tie": 520_000}, "the gain in a mint request of .* exceeds the one that was revoked"),
    ],
)
def test_nothing_that_a_contract_reads_rises_though_no_item_counts_more(before, now, why):
    with pytest.raises(EvidenceContradiction, match=why):
        recheck(instead_of(graded(**before), graded(**now)))


def test_what_would_rise_is_not_even_prepared():
    files, (team, *_) = graded(), TEAMS
    report = json.loads(files[REPORT])
    report["look"]["metric_digest"] = SPEC.metric_digest
    rows = [json.loads(line) | {"label": {"team": team}} for line in files[ROWS].splitlines()]
    files |= {REPORT: canonical_json(report), ROWS: canonical_lines(rows)}
    trace = replace(cleaned_tickets(1)[0], split="holdout", label=json_text({"team": team}))
    cleaned = [replace(trace, trace_id=row["trace_id"], cluster=row["item"]) for row in rows[1:]]
    now = Now(SPEC, cleaned, Register(Scope("paid", "triage"), lambda digests: []))
    bundle = AttestationBundle.from_bytes(World.begun().attest().to_bytes())
    with pytest.raises(NotReissued, match="may only say less, and the lower bound") as refused:
        reissue(bundle, files, "withdrawn", now, lambda content: pytest.fail("kept something"))
    assert refused.value.code == EXCEEDS_REVOKED


def test_who_had_no_part_in_what_was_revoked_has_none_in_what_is_issued_again():
    facts = json.loads(HONEST[FACTS_FILE])
    copy = facts["arrivals"][0] | {"trace_id": "tr-copy", "arrival_ms": 0, "contributor": STRANGER.address}
    earlier = [facts["arrivals"][0] | {"arrival_ms": 0}, *facts["arrivals"][1:]]
    for arrivals in ([*facts["arrivals"], copy], earlier):
        with pytest.raises(EvidenceContradiction, match=f"{FACTS_FILE}: traces"):
            recheck(HONEST | {FACTS_FILE: canonical_json(facts | {"arrivals": arrivals})})
    with pytest.raises(EvidenceContradiction, match=f"{REPLACED_FACTS}: sha256"):
        recheck(HONEST | {REPLACED_FACTS: canonical_json(facts | {"arrivals": earlier})})


def renamed(files, name=STRANGER.address):
    """The evidence in which the first demo's trace names somebody else by now, and what it is instead of."""
    lines = [json.loads(line) for line in files[TRAINSET].splitlines()]
    facts, demos = json.loads(files[FACTS_FILE]), json.loads(files[DEMOS])
    for each in (lines[0], facts["arrivals"][0], demos[0]):
        each["contributor"] = name
    return files | {
        TRAINSET: canonical_lines(lines), DEMOS: canonical_json(demos), FACTS_FILE: canonical_json(facts),
        REPLACED_DEMOS: FILES[DEMOS], REPLACED_TRAINSET: FILES[TRAINSET],
    }  # fmt: skip


def test_only_whom_a_trace_names_may_be_another_in_what_it_was_made_from():
    named = renamed(reissued())
    found = claim_of("triage", MONDAY, named)
    assert STRANGER.address in dict(found.weights.contributors)
    assert {REPLACED_DEMOS, REPLACED_TRAINSET} <= {file.name for file in found.evidence}
    assert parse_statement(build_statement(found)) == found


def lines_changed(files, change):
    return files | {TRAINSET: canonical_lines(change([json.loads(line) for line in files[TRAINSET].splitlines()]))}


def an_item_added(lines):
    return [*lines, lines[0] | {"side": "validation", "trace_id": "tr-never", "cluster": "f" * 64, "content": "f" * 64}]


def sides_changed(lines):
    return [line | {"side": "inherited"} for line in lines]


@pytest.mark.parametrize("change", [an_item_added, sides_changed])
@pytest.mark.parametrize("whole", [True, False])
def test_what_it_was_made_from_cannot_be_told_otherwise(change, whole):
    forged = lines_changed(renamed(HONEST) if whole else HONEST, change)
    with pytest.raises(EvidenceContradiction, match=TRAINSET):
        recheck(forged)
    with pytest.raises(EvidenceContradiction, match=f"{REPLACED_TRAINSET}: sha256"):
        recheck(forged | {REPLACED_TRAINSET: forged[TRAINSET].replace(b"tr-", b"tx-")})


def test_one_claim_has_one_form():
    with pytest.raises(EvidenceContradiction, match=f"{REPLACED_DEMOS}: is among the evidence, and {DEMOS} is what"):
        recheck(HONEST | {REPLACED_DEMOS: FILES[DEMOS]})


def test_demos_cannot_be_told_otherwise_and_contributors_are_names():
    demos = [demo | {"augmented": True} for demo in json.loads(HONEST[DEMOS])]
    with pytest.raises(EvidenceContradiction, match=f"{DEMOS}: line 1 but for its contributor"):
        recheck(HONEST | {DEMOS: canonical_json(demos), REPLACED_DEMOS: FILES[DEMOS]})
    lines = [json.loads(line) for line in FILES[TRAINSET].splitlines()]
    validation = {**lines[0], "side": "validation", "trace_id": "tr-v", "cluster": "e" * 64, "content": "e" * 64}
    before = FILES | {TRAINSET: canonical_lines([*lines, validation])}
    honest = reissued(before, claim_of("triage", MONDAY, before))
    forged = canonical_lines([*lines, validation | {"contributor": {"wallet": "?"}}])
    with pytest.raises(EvidenceContradiction, match="contributor is neither a text nor null"):
        recheck(honest | {TRAINSET: forged, REPLACED_TRAINSET: before[TRAINSET]})


def test_what_was_held_since_nobody_signed_for_it_is_not_paid_by_another_setting():
    facts = json.loads(FILES[FACTS_FILE])
    held = [arrival | {"reason": "unsigned_submission"} for arrival in facts["arrivals"]]
    before = FILES | {FACTS_FILE: canonical_json(facts | {"arrivals": held})}
    honest = reissued(before, claim_of("triage", MONDAY, before))
    assert recheck(honest)["replaces"]
    with pytest.raises(EvidenceContradiction, match=r"attribution\.unsigned was 'escrow'"):
        recheck(honest | {FACTS_FILE: FILES[FACTS_FILE]})


LOST = next(n for n, line in enumerate(FILES[ROWS].splitlines()) if json.loads(line)["candidate_ppm"] == 0)
HONEST = reissued()
OTHER_RULES = json.loads(FILES[REPORT]) | {"rules": json.loads(FILES[REPORT])["rules"] | {"max_regressions": 400}}


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (decided(HONEST | changed_row(HONEST, LOST, candidate_ppm=10**6)), "counts more for the candidate"),
        (decided(HONEST | changed_row(HONEST, candidate_output={"answer": "better"})), "answers"),
        (decided(HONEST | changed_row(HONEST, inputs={"text": "easier"})), "answers"),
        (decided(HONEST | {REPORT: canonical_json(OTHER_RULES)}), "rules and look"),
        (HONEST | {REPLACED_ROWS: HONEST[ROWS]}, "sha256"),
        (HONEST | {REPLACED_STATEMENT: b" " + HONEST[REPLACED_STATEMENT]}, "form"),
        ({name: content for name, content in HONEST.items() if name != REPLACED_ROWS}, "not among the evidence"),
        (reissued(claim=replace(CLAIM, decision=replace(CLAIM.decision, wins=59))), "decision"),
        (reissued(claim=replace(CLAIM, partition="2026-11-03")), "partition"),
        (
            FILES | {FACTS_FILE: canonical_json(
                json.loads(FILES[FACTS_FILE])
                | {"withdrawn": [json.loads(FILES[FACTS_FILE])["demos"][0]["cluster"]]}
            )},
            "nothing is replaced",
        ),
    ],
)  # fmt: skip
def test_what_is_more_than_the_same_look_shrunk_is_refused(forged, why):
    with pytest.raises((EvidenceContradiction, VerificationFailed), match=why):
        recheck(forged)


def test_a_reissue_that_hides_what_it_replaces_does_not_verify():
    stated = build_statement(claim_of("triage", MONDAY, HONEST))
    del stated["predicate"]["replaces"]
    deployment = Deployment()
    record_of(deployment, HONEST)
    with pytest.raises(VerificationFailed, match="decision_mismatch"):
        attest_claim(deployment.attester(), parse_statement(stated))


@pytest.mark.parametrize("uids", [["0x1"], ["0x" + "1" * 64] * 2, []])
def test_a_statement_names_each_replaced_attestation_once(uids):
    stated = build_statement(replace(EXAMPLE, replaces=("0x" + "2" * 64,)))
    stated["predicate"]["replaces"] = uids
    with pytest.raises(RecordError, match="replaces"):
        parse_statement(stated)


def begun_again(revoke_first):
    """A world in which an attestation is issued again, and whether that is in order."""
    world = World.begun()
    first = world.attest()
    again = replace(EXAMPLE, replaces=(first.envelope["sig"]["uid"],))
    if revoke_first:
        world.revoke(first)
        return world, world.attest(claim=again)
    second = world.attest(claim=again)
    world.revoke(first)
    return world, second


def python_says(world: World, bundle: AttestationBundle) -> str | None:
    """The code by which a stranger with the whole log refuses."""
    checked = world.check()
    replaces = bundle.statement["predicate"]["replaces"]
    try:
        verify_bundle(
            bundle,
            EVIDENCE,
            checked.policy,
            at=NOW,
            log=checked,
            recheck_decision=lambda files: example_recheck(files) | {"replaces": replaces},
        )
    except VerificationFailed as failure:
        return failure.code
    return None


def test_a_stranger_sees_in_the_log_whether_the_revocation_came_first():
    assert python_says(*begun_again(revoke_first=True)) is None
    assert python_says(*begun_again(revoke_first=False)) == FailureCode.REPLACED_NOT_REVOKED
