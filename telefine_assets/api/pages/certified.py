"""What a deployment's attestations say, read once from their evidence and kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telefine_assets.api.attestations import STAGE
from telefine_assets.api.deployment import Deployment
from telefine_assets.attestation.attesting import ATTESTED, AWAITING, REVOKED

if TYPE_CHECKING:
    from telefine_assets.attestation.claim import Claim


@dataclass(frozen=True)
class Certified:
    """An attestation with what it claims.

    Attributes:
        uid: what it is known by.
        signer: who signed it, EIP-55.
        log_index: its place in the log.
        claim: what it claims.
        outcome: ``attested``, ``awaiting_signatures`` or ``revoked``: by the log as it is now.
    """

    uid: str
    signer: str
    log_index: int
    claim: Claim
    outcome: str

    @property
    def in_force(self) -> bool:
        """Whether something may rest on it."""
        return self.outcome == ATTESTED


def certified(here: Deployment, program: str) -> list[Certified]:
    """The attestations of a program, oldest day first."""
    stamp = here.records.stamp(program, STAGE)
    records: list[dict[str, Any]] = here.kept.get(("attested", program), stamp, lambda: _records(here, program))
    if not records:
        return []
    size = here.leaves.size()
    return here.kept.get(
        ("certified", program), None if stamp is None else (stamp, size), lambda: _certified(here, records)
    )


def _records(here: Deployment, program: str) -> list[dict[str, Any]]:
    days = here.records.days(program, STAGE)
    return [record for day in days if (record := here.records.read(program, STAGE, day))["uid"]]


def _certified(here: Deployment, records: list[dict[str, Any]]) -> list[Certified]:
    own, state = here.settings.signer, here.log().state
    signed: dict[str, set[str]] = defaultdict(set)
    for record in records:
        signed[record["uid"]].add(record["signer"])
    for uid, cosignature in state.cosigned:
        signed[uid].add(cosignature.signer)

    def outcome(uid: str) -> str:
        if uid in state.revoked:
            return REVOKED
        counted = signed[uid] & set(own.attesters) if own.attesters else signed[uid]
        return ATTESTED if len(counted) >= own.required else AWAITING

    return [
        Certified(
            record["uid"], record["signer"], record["log_index"], _claim(here, record["bundle"]), outcome(record["uid"])
        )
        for record in records
    ]


def _claim(here: Deployment, bundle: str) -> Claim:
    """What is stored under a digest never changes, so it is read once."""
    from telefine_assets.attestation.bundle import AttestationBundle
    from telefine_assets.attestation.statement import parse_statement

    def read() -> Claim:
        return parse_statement(AttestationBundle.from_bytes(here.evidence.get(bundle)).statement)

    return here.kept.get(("claim", bundle), bundle, read)
