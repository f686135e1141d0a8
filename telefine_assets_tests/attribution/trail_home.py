"""A store with traces, what cleaning made of them, and what the stages recorded: for the tests of the audit trail."""

import json
from uuid import uuid4

import pyarrow as pa

from telefine_assets.attestation.standing import DayStanding
from telefine_assets.attribution.addresses import checksum_address, resolve_contributor
from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.trail import TraceLine, Trail
from telefine_assets.ledger.records import SubmissionEntry, SubmissionRow
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.inspecting import Stored
from telefine_assets.traces.records import cleaned_schema, dropped_schema, trace_schema

MONDAY, TUESDAY, FRIDAY = "2026-11-02", "2026-11-03", "2026-11-06"
ALICE, BOB, CAROL = (checksum_address(bytes([n]) * 20) for n in (0xAB, 0xCD, 0xEF))
TAG = "telefine.contributor"
SCOPE = Scope("here", "triage")


class Home:
    """Days are filled first, and written with ``write``."""

    def __init__(self, uri: str | None = None) -> None:
        files = Files(uri or f"memory://{uuid4().hex}")
        self.stored = Stored(TableStore(files), RecordStore(files), "triage")
        self.traces: dict[str, list[dict]] = {}
        self.cleaned: dict[str, list[dict]] = {}
        self.dropped: dict[str, list[dict]] = {}
        self.signed: list[SubmissionRow] = []
        self.standing = DayStanding()

    def trace(self, name, who, day=MONDAY, content=None, rule=None, split="train", at=None, cleaned=True):
        """Log a trace, and clean it unless its day is not."""
        at = len(self.traces.get(day, ())) if at is None else at
        row = {"trace_id": name, "request_time_ms": at, "status": "OK", "fingerprint": "f", "digest": "d"}
        row |= {"assessments": "[]", "tags": json.dumps({} if who is None else {TAG: who, "note": ALICE})}
        self.traces.setdefault(day, []).append(row)
        if not cleaned:
            return
        self.cleaned.setdefault(day, [])
        self.dropped.setdefault(day, [])
        if rule is not None:
            self.dropped[day].append({"trace_id": name, "rule": rule})
            return
        found = resolve_contributor(who)
        content = content or name
        kept = {"trace_id": name, "trace_digest": "d", "day": day, "arrival_ms": at, "inputs": "{}", "label": "{}"}
        kept |= {"label_source": "output:x", "quality_ppm": 900_000, "content": content, "cluster": content}
        kept |= {"contributor": found.address, "contributor_reason": found.reason and str(found.reason)}
        self.cleaned[day].append(kept | {"group": content, "split": split, "flags": "[]"})

    def sign(self, content, who):
        """Log a submission."""
        word = "0x" + "1" * 64
        entry = SubmissionEntry(word, "triage", SCOPE.trace_digest(content), who, 1, word, 27, word, word)
        self.signed.append(SubmissionRow(len(self.signed), 0, entry))

    def weigh(self, day, demos, lines=(), escrow=(), worth=None, reason=None):
        """Record a candidate and its weights; demos are (trace, cluster), lines (payee, ppm, clusters)."""
        shown = [
            {"trace_id": name, "cluster": cluster, "predictor": "answer", "position": position}
            for position, (name, cluster) in enumerate(demos)
        ]
        table = {
            key: [
                {name: who, "weight_ppm": ppm, "clusters": list(clusters), "trace_ids": []}
                for who, ppm, clusters in given
            ]
            for key, name, given in (("lines", "address", lines), ("escrow", "reason", escrow))
        }
        self.record("compiled_programs", day, candidate="c" * 64, demos=shown)
        weights = table | {"method": "usage", "reason": reason}
        self.record("contributor_weights", day, candidate="c" * 64, weights=weights, worth=worth)

    def attest(self, day, uid="0x" + "a" * 64, reason="reached"):
        self.record("attestations", day, uid=uid, outcome="attested" if uid else "not_reached", reason=reason)

    def pay(self, day, *payments, reason="paid"):
        plan = {"payments": [{"address": who, "amount": str(amount)} for who, amount in payments]} if payments else None
        self.record(
            "contributor_payouts", day, plan=plan, outcome="planned" if plan else "nothing_to_pay", reason=reason
        )

    def record(self, stage, day, **record):
        self.stored.records.write("triage", stage, day, record)

    def write(self):
        """Write the tables."""
        tables = (("traces", self.traces, trace_schema()), ("cleaned_traces", self.cleaned, cleaned_schema()))
        for name, days, schema in (*tables, ("dropped_traces", self.dropped, dropped_schema())):
            for day, rows in days.items():
                self.stored.tables.write("triage", name, day, pa.Table.from_pylist(rows, schema))

    def lookup(self, digests):
        return [row for row in self.signed if row.entry.trace_digest in digests]

    def why(self, wallet, days=(MONDAY, TUESDAY, FRIDAY)) -> dict[str, TraceLine]:
        self.write()
        trail = Trail(self.stored, Register(SCOPE, self.lookup), TAG, lambda day: self.standing)
        lines = list(trail.why(wallet, days))
        assert len({line.trace_id for line in lines}) == len(lines)
        return {line.trace_id: line for line in lines}
