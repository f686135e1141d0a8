"""A deployment's home with attested and paid days, from evidence that verifies, without any asset having run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from telefine_assets.attestation.attesting import (
    ATTESTED,
    Attester,
    attest_claim,
    attest_records,
    claim_of,
    reverify,
)
from telefine_assets.attestation.bundle import AttestationBundle, message_of
from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.files import BASELINE, CANDIDATE, DEMOS, LOOKS, REPORT, ROWS, TRAINSET
from telefine_assets.attestation.log_records import Revocation
from telefine_assets.attestation.log_writing import say
from telefine_assets.attestation.reissued import REPLACED
from telefine_assets.attestation.reissuing import STAGE, bundles_replaced
from telefine_assets.attestation.signatures import Signer
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attestation.statement import parse_statement
from telefine_assets.attestation.trust import Trust
from telefine_assets.attestation.verify import VerifiedAttestation
from telefine_assets.attribution.facts import FACTS_FILE, recompute_weights, write_facts
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.canonical import canonical_json, canonical_lines, digest_of, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import Rules
from telefine_assets.ledger.attested import AttestedDays
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.cosignatures import Cosignatures
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import AuditEntry, Promotion
from telefine_assets.payouts.paying import Books, pay_attested
from telefine_assets.programs.values import demo_digest
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.deltaone.rows import look, rows
from telefine_assets_tests.payouts.test_plan import wallet

KEY = "07" * 32
SIGNER = LocalKeySigner(KEY)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONDAY, TUESDAY = "2026-11-02", "2026-11-03"
ALICE, BOB = wallet(1), wallet(0)
ASKED_WITH = {"lm": {"model": "small"}, "code": "2" * 64}
SETTINGS = """
deployment: paid
partitions: {start: 2026-11-02}
lm: {model: openai/none, api_base: "http://127.0.0.1:9", adapter: plain}
signer: {kind: environment}
programs:
  triage:
    module: nowhere.to:be_found
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
    payout: {pool: "1000000000000000001", token_symbol: TOKEN, token_decimals: 18}
"""


def evidence_of(day: str, contributors: list[str | None], program: str = "triage") -> dict[str, bytes]:
    """The files of an attestation: one demo per contributor, and rows that reach DeltaOne."""
    inputs = [{"text": f"asked on {day}, {index}"} for index in range(len(contributors))]
    demos = [
        {
            "trace_id": f"tr-{day}-{index}",
            "cluster": cluster_of(asked),
            "content": cluster_of(asked),
            "trace_digest": digest_of(asked),
            "quality_ppm": 900_000,
            "contributor": who,
            "predictor": "answer",
            "position": index,
            "digest": demo_digest(asked),
        }
        for index, (asked, who) in enumerate(zip(inputs, contributors, strict=True))
    ]
    items = rows(60, 10, 330)
    files = {
        CANDIDATE: canonical_json(
            {
                "program": program,
                **ASKED_WITH,
                "signatures": {"answer": {"inputs": [{"name": "text"}]}},
                "state": {"answer": {"demos": inputs}},
            }
        ),
        BASELINE: canonical_json({"program": program, "before": day}),
        DEMOS: canonical_json(demos),
        TRAINSET: canonical_lines({**demo, "side": "train"} for demo in demos),
        ROWS: canonical_lines(item.to_record() for item in items),
        FACTS_FILE: write_facts(
            [UsedDemo(demo["cluster"], demo["trace_id"], demo["quality_ppm"]) for demo in demos],
            [
                Arrival(
                    demo["cluster"], demo["trace_id"], demo["contributor"], None, 1_763_600_000_000, demo["content"]
                )
                for demo in demos
            ],
            Scope("paid", program),
        ),
    }
    taken = look(
        1,
        holdout_digest=sha256_hex(canonical_json(sorted(item.item for item in items))),
        baseline_version=sha256_hex(files[BASELINE]),
        candidate_version=sha256_hex(files[CANDIDATE]),
    )
    rules = Rules(min_power_ppm=0)
    decision = decide(items, rules, taken)
    report = {
        "decision": decision.to_record(),
        "rules": rules.to_record(),
        "look": taken.to_record(),
        "asked_with": ASKED_WITH | {"metric": taken.metric_digest},
        "metric_name": "exact_match",
    }
    listed = {
        "k": 1,
        "program": program,
        "day": day,
        "look_key": "1" * 64,
        "baseline": taken.baseline_version,
        "candidate": taken.candidate_version,
        "metric": taken.metric_digest,
        "item_list": taken.holdout_digest,
        "alpha": rules.alpha,
    }
    return files | {REPORT: canonical_json(report), LOOKS: canonical_json([listed])}


class PaidHome:
    """A home in which days can be attested, which promotes, and paid."""

    def __init__(self, home) -> None:
        file = home / "telefine.yaml"
        # Who shares a home with others does not write it anew under their eyes.
        if not file.exists() or not file.read_text().startswith(SETTINGS):
            file.write_text(SETTINGS)
        self.settings = load_settings(home / "telefine.yaml")
        files = Files(self.settings.store.uri)
        self.home, self.records, self.evidence = home, RecordStore(files), EvidenceStore(files)
        self.ledger = Ledger(self.settings.ledger.url)
        own = self.settings.signer
        self.domain = EasDomain(own.eas_version, own.chain_id, own.eas_contract)

    def trust(self) -> Trust:
        """Whom the deployment trusts, by its settings and its log."""
        own = self.settings.signer
        leaves, kept = LogLeaves(self.ledger), Cosignatures(self.ledger)
        return Trust(self.domain, self.settings.deployment, leaves, kept, own.required, frozenset(own.attesters))

    def attester(self, files: Mapping[str, bytes], signer: Signer = SIGNER) -> Attester:
        """What attests evidence here, which is kept."""
        for content in files.values():
            self.evidence.put(content)
        return Attester(
            self.trust(),
            AttestedDays(self.ledger, lambda: NOON),
            lambda: signer,
            lambda program, key: json.loads(files[LOOKS]),
            lambda facts: None,
            self.evidence.put,
            self.evidence.find,
        )

    def attest(self, day: str, contributors: list[str | None], signer: Signer = SIGNER, program: str = "triage") -> str:
        """Attest a day; returns the attestation's uid."""
        files = evidence_of(day, contributors, program)
        attested = attest_claim(self.attester(files, signer), claim_of(program, day, files))
        self.evidence.put(attested.bundle.to_bytes())
        record = {"outcome": ATTESTED, "reason": "reached", **attested.to_record()}
        self.records.write(program, "attestations", day, record)
        self._promote(day, attested.verified)
        return attested.verified.uid

    def revoke(self, uid: str, reason: str = "a label was wrong", at: datetime = NOON) -> None:
        """Say in the log that an attestation is revoked, as the command does."""
        leaves = LogLeaves(self.ledger)
        audited = AuditEntry(SIGNER.address, "revoked", uid, {"reason": reason}), at
        append_at = partial(leaves.append_at, audited=audited)
        say(leaves, self.settings.deployment, SIGNER, lambda _: [Revocation(uid, reason)], append_at)

    def prepare_again(self, day: str, wins_lost: int = 3, reason: str = "two labels", program: str = "triage") -> str:
        """Prepare a day's attestation again, by which so many items are won no more; returns the uid it will have."""
        from telefine_assets_tests.attestation.test_reissued import reissued

        record = self.records.read(program, "attestations", day)
        bundle = AttestationBundle.from_bytes(self.evidence.get(record["bundle"]))
        before = parse_statement(bundle.statement)
        files = {file.name: self.evidence.get(file.sha256) for file in before.evidence}
        kept = {name: content for name, content in files.items() if name not in REPLACED}
        again = reissued(kept, before, wins_lost, reason=reason)
        claim = claim_of(program, day, again)
        weights = recompute_weights(again[FACTS_FILE])
        made = {
            "replaces": record["uid"],
            "replaced": bundles_replaced(bundle, claim, self.records.find(program, STAGE, day)),
            "reason": reason,
            "gain_before_ppm": before.decision.delta_ppm,
            "gain_ppm": claim.decision.delta_ppm,
            "weights": weights.to_record(),
            "sentence": "Issued again.",
            "uid": message_of(claim).uid,
            "evidence": {name: self.evidence.put(content) for name, content in again.items()},
        }
        self.records.write(program, STAGE, day, made)
        return made["uid"]

    def sign_again(self, day: str, program: str = "triage") -> str:
        """Have what was prepared signed, as the stage does; returns its uid."""
        before, made = (self.records.read(program, stage, day) for stage in ("attestations", STAGE))
        files = {name: self.evidence.get(digest) for name, digest in made["evidence"].items()}
        stages = {"deltaone_reports": {"reached": True, "sentence": "reached", "evidence": {}}}
        record = attest_records(self.attester(files), program, day, stages, before, made)
        self.records.write(program, "attestations", day, record)
        return record["uid"]

    def _promote(self, day: str, verified: VerifiedAttestation) -> None:
        """Promote over what serves, as if the evidence said so; nothing where a later day serves already."""
        champions, claim = Champions(self.ledger), verified.claim
        last = champions.current("triage")
        if last is None or last.day < day:
            baseline = last.version if last else claim.baseline_version
            champions.promote(Promotion("triage", day, claim.candidate_version, baseline, verified.uid), NOON)

    def audited(self) -> list[str]:
        """What the audit log says was done, its chain verified; attestations and promotions are left out."""
        audit = Audit(self.ledger)
        audit.verify()
        return [row.action for row in audit.rows() if row.action not in ("attested", "promoted")]

    def pay(self, day: str, **changes: object) -> dict:
        """Pay an attested day as the asset would, with some settings of payouts changed; returns its record."""
        attestation = self.records.read("triage", "attestations", day)
        standing = reverify(attestation, self.trust(), self.evidence.find)
        books = Books(Payouts(self.ledger), self.evidence.put, self.evidence.get)
        champion = {"attestation": attestation["uid"], "reason": "promoted"}
        payout = self.settings.programs["triage"].payout.model_copy(update=changes)
        record = pay_attested("triage", day, standing.verified, champion, payout, books, standing.hindrance)
        self.records.write("triage", "contributor_payouts", day, record)
        return record
