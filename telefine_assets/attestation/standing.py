"""How a day stands: what was attested of its look, what of that was revoked and issued again, and what is in force.

A look is a look: what it found stays as it was found. What is claimed of it may have
been revoked since, and issued again for less. Whoever shows a day's gain or weights
asks here what stands of them, by the day's records, the evidence that they name and
the log as it is now. Evidence is not verified here (see ``attesting.reverify``); whose
signatures count, where they stand in the log, is judged by the verifier's own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from telefine_assets.attestation.attesting import ATTESTED, AWAITING, REVOKED
from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.checks import check_replaced, check_revoked, check_signer
from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.cosigning import (
    Cosignature,
    check_threshold,
    cosignatures_to_json,
    read_cosignatures,
)
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.log_receipt import LEAF_KIND
from telefine_assets.attestation.reissued import REPLACED_STATEMENT
from telefine_assets.attestation.reissuing import STAGE
from telefine_assets.attestation.snapshot import CheckedLog
from telefine_assets.attestation.statement import parse_statement
from telefine_assets.attestation.trust import Trust
from telefine_assets.attribution.records import load_json
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.attested import revoked_at
from telefine_assets.ledger.connection import Ledger

NOT_ATTESTED, CORRECTED = "not_attested", "corrected"


class Records(Protocol):
    """The part of ``store.records.RecordStore`` that is used here."""

    def find(self, program: str, stage: str, day: str) -> Mapping[str, Any] | None:
        """A day's record, or None."""
        ...


@dataclass(frozen=True)
class Link:
    """A claim that was attested of a day.

    Attributes:
        uid: what its attestation is known by.
        claim: what was claimed.
        why: why it was issued again, in words; None for the day's first.
        envelope: as it was signed; None for one that was replaced, whose own bundle has it.
    """

    uid: str
    claim: Claim
    why: str | None
    envelope: Envelope | None = None


@dataclass(frozen=True)
class Revoked:
    """That an attestation was revoked.

    Attributes:
        position: where in the log.
        reason: why, as the log has it.
        at: when, as the audit log has it: UTC, ``YYYY-MM-DDTHH:MM:SSZ``; None where it does not say.
    """

    position: int
    reason: str
    at: str | None


@dataclass(frozen=True)
class Issued:
    """An attestation, and what has become of it.

    Attributes:
        uid: what it is known by.
        signer: who signed it, EIP-55.
        log_index: its place in the log.
        bundle: digest of its file in the evidence.
        claim: what it claims.
        outcome: ``attested``, ``awaiting_signatures`` or ``revoked``: by the log as it is now. One whose own key
            was not good where it stands awaits a good one's signature, whoever cosigned it.
        why: why it was issued again, in words; None for a day's first.
        revoked: its revocation; None while it stands.
        replaced_by: the uid of the next one; None for a day's last.
    """

    uid: str
    signer: str
    log_index: int
    bundle: str
    claim: Claim
    outcome: str
    why: str | None = None
    revoked: Revoked | None = None
    replaced_by: str | None = None

    @property
    def in_force(self) -> bool:
        """Whether something may rest on it."""
        return self.outcome == ATTESTED

    def to_record(self) -> dict[str, Any]:
        """As JSON values; gain and bound in ppm."""
        decision, revoked = self.claim.decision, self.revoked
        return {
            "uid": self.uid,
            "outcome": self.outcome,
            "gain_ppm": decision.delta_ppm,
            "lower_ppm": decision.lower_ppm,
            "items": decision.n,
            "log_index": self.log_index,
            "why_issued_again": self.why,
            "revoked": None if revoked is None else vars(revoked),
        }


@dataclass(frozen=True)
class DayStanding:
    """What stands of a day.

    Attributes:
        issued: its attestations, oldest first; those before the last one were revoked.
        prepared: what is to be signed instead of the last one, which was revoked: uid, reason, gain_ppm; or None.
    """

    issued: tuple[Issued, ...] = ()
    prepared: Mapping[str, Any] | None = None

    @property
    def last(self) -> Issued | None:
        """The attestation that stands, or stood last."""
        return self.issued[-1] if self.issued else None

    @property
    def in_force(self) -> Issued | None:
        """The attestation that something may rest on."""
        return self.last if self.last is not None and self.last.in_force else None

    @property
    def code(self) -> str:
        """``not_attested``, ``attested``, ``awaiting_signatures``, ``revoked``, or ``corrected`` and in force."""
        if self.last is None:
            return NOT_ATTESTED
        return CORRECTED if self.last.in_force and len(self.issued) > 1 else self.last.outcome

    @property
    def amended(self) -> bool:
        """Whether anything was revoked of what the look found."""
        return any(each.revoked for each in self.issued)

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        names, in_force, prepared = ("uid", "reason", "gain_ppm"), self.in_force, self.prepared
        return {
            "code": self.code,
            "in_force": None if in_force is None else in_force.uid,
            "attestations": [each.to_record() for each in self.issued],
            "prepared": None if prepared is None else {name: prepared[name] for name in names},
        }


@dataclass(frozen=True)
class LogNow:
    """What the log says now.

    Attributes:
        log: the log, with whom it makes trusted.
        revoked_at: when attestations were revoked (``ledger.attested.revoked_at``).
        cosignatures: those under an attestation that a signer signed (``Trust.cosignatures``).
    """

    log: CheckedLog
    revoked_at: Mapping[str, str]
    cosignatures: Callable[[str, str], Sequence[Cosignature]]

    @classmethod
    def of(cls, trust: Trust, ledger: Ledger, log: CheckedLog | None = None) -> LogNow:
        """That of a deployment; ``log`` is the one that ``trust`` has, where it is at hand."""
        return cls(log or trust.log(), revoked_at(ledger), trust.cosignatures)

    def outcome(self, envelope: Envelope, claim: Claim, position: int) -> str:
        """What became of an attestation at ``position`` of the log: in force is only what a verifier would pass."""
        try:
            check_revoked(envelope, self.log.policy)
            self._check_signatures(envelope, claim, position)
        except VerificationFailed as failure:
            return REVOKED if failure.code is FailureCode.REVOKED else AWAITING
        return ATTESTED

    def _check_signatures(self, envelope: Envelope, claim: Claim, position: int) -> None:
        policy, state = self.log.policy, self.log.state
        leaf = state.lines[position] if position < state.size else None
        if leaf is None or (leaf.kind, leaf.what, leaf.signer) != (LEAF_KIND, envelope.uid, envelope.signer):
            raise VerificationFailed(
                FailureCode.LOG_PROOF_INVALID, f"leaf {position} of the log is not attestation {envelope.uid}"
            )
        check_signer(envelope, position, policy)
        check_replaced(claim, self.log, position)
        found = cosignatures_to_json(self.cosignatures(envelope.uid, envelope.signer))
        check_threshold(envelope, read_cosignatures(found, envelope), policy, position, state.cosigned)

    def place(self, uid: str) -> tuple[str, int]:
        """Who signed an attestation that was revoked, and where in the log."""
        found = [line for line in self.log.state.lines if (line.kind, line.what) == (LEAF_KIND, uid)]
        if not found:
            raise TelefineError(f"the log has no attestation {uid}, which another one says that it replaces")
        return found[-1].signer, found[-1].position

    def revocation(self, uid: str) -> Revoked | None:
        """Where, why and when an attestation was revoked."""
        state = self.log.state
        position = state.revoked.get(uid)
        return None if position is None else Revoked(position, state.lines[position].reason, self.revoked_at.get(uid))


def chain_of(get: Callable[[str], bytes], bundle: str) -> tuple[Link, ...]:
    """An attestation, by the digest of its bundle, after those that it replaces, oldest first; it never changes.

    Raises:
        TelefineError: a file of evidence is missing, or not what it should be.
    """
    opened = AttestationBundle.from_bytes(get(bundle))
    claim, envelope = parse_statement(opened.statement), Envelope.from_json(opened.envelope)
    links: list[Link] = []
    for uid in reversed((*claim.replaces, envelope.uid)):
        file = next((each.sha256 for each in claim.evidence if each.name == REPLACED_STATEMENT), None)
        replaced: Any = {"reason": None} if file is None else load_json(get(file), REPLACED_STATEMENT)
        links.insert(0, Link(uid, claim, replaced["reason"], None if links else envelope))
        claim = claim if file is None else parse_statement(replaced["statement"])
    return tuple(links)


def standing_of(
    record: Mapping[str, Any] | None,
    reissue: Mapping[str, Any] | None,
    now: LogNow,
    chain: Callable[[str], Sequence[Link]],
) -> DayStanding:
    """What stands of a day.

    Args:
        record: of ``attestations``.
        reissue: of ``reissuing.STAGE``: what is, or was, to be attested instead of what was revoked.
        now: what the log says.
        chain: reads attestations from evidence (``chain_of``).

    Raises:
        TelefineError: a record or a file of evidence is not what it should be, or is missing.
    """
    if record is None or record["uid"] is None:
        return DayStanding()
    links = chain(record["bundle"])
    bundles = {each["uid"]: each["bundle"] for each in (reissue or {"replaced": ()})["replaced"]}
    bundles[record["uid"]] = record["bundle"]
    issued = tuple(
        _issued(link, bundles, after.uid if after else None, record, now, chain)
        for link, after in zip(links, (*links[1:], None), strict=True)
    )
    return DayStanding(issued, reissue if reissue is not None and _waits(reissue, issued[-1], now) else None)


def _waits(reissue: Mapping[str, Any], last: Issued, now: LogNow) -> bool:
    """Whether what was prepared is still to be signed instead of the day's last attestation."""
    prepared_for_it = reissue["replaces"] == last.uid and last.revoked is not None
    return prepared_for_it and now.revocation(reissue["uid"]) is None


def standing_of_day(records: Records, program: str, day: str, now: LogNow, get: Callable[[str], bytes]) -> DayStanding:
    """What stands of a program's day, by what a store has of it (see ``standing_of``)."""
    record, reissue = (records.find(program, stage, day) for stage in ("attestations", STAGE))
    return standing_of(record, reissue, now, partial(chain_of, get))


def _issued(
    link: Link,
    bundles: Mapping[str, str],
    replaced_by: str | None,
    record: Mapping[str, Any],
    now: LogNow,
    chain: Callable[[str], Sequence[Link]],
) -> Issued:
    if link.uid not in bundles:
        raise TelefineError(f"no record says where the attestation {link.uid} is kept: restore the records of {STAGE}")
    signer, position = (record["signer"], record["log_index"]) if replaced_by is None else now.place(link.uid)
    bundle, revoked = bundles[link.uid], now.revocation(link.uid)
    outcome = _outcome(link, bundle, position, now, chain)
    return Issued(link.uid, signer, position, bundle, link.claim, outcome, link.why, revoked, replaced_by)


def _outcome(link: Link, bundle: str, position: int, now: LogNow, chain: Callable[[str], Sequence[Link]]) -> str:
    # What was replaced is as good as always revoked: its own bundle need not be read.
    if link.uid in now.log.policy.revoked_uids:
        return REVOKED
    envelope = link.envelope or chain(bundle)[-1].envelope
    return AWAITING if envelope is None else now.outcome(envelope, link.claim, position)
