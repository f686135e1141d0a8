"""What the commands below ``telefine payouts`` share: the stored payouts of a program, and files written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import chosen, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.signatures import Signer
    from telefine_assets.attestation.verify import VerifiedAttestation
    from telefine_assets.ledger.mint_requests import MintRequests
    from telefine_assets.ledger.payouts import Payouts
    from telefine_assets.ledger.records import RecordedPayout, Token
    from telefine_assets.payouts.cumulative import ClaimSet
    from telefine_assets.settings.schema import ProgramSettings, Settings
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.records import RecordStore

STAGE = "contributor_payouts"

TokenName = Annotated[
    str | None,
    typer.Option("--token", help="What was paid, as NAME/DECIMALS; by default the token of today's settings."),
]


@dataclass(frozen=True)
class Place:
    """A program with its records, its evidence and its ledger."""

    settings: Settings
    name: str
    program: ProgramSettings
    records: RecordStore
    evidence: EvidenceStore

    def payouts(self) -> Payouts:
        """The ledger's payouts."""
        from telefine_assets.cli.attest_shared import ledger_of
        from telefine_assets.ledger.payouts import Payouts

        return Payouts(ledger_of(self.settings))

    def paid_for(self, verified: VerifiedAttestation) -> RecordedPayout | None:
        """The payout of an attestation, or of the revoked one that it was issued again for."""
        book = self.payouts()
        found = (book.of(uid) for uid in (verified.uid, *verified.claim.replaces))
        return next((each for each in found if each is not None), None)

    def mint_requests(self) -> MintRequests:
        """The ledger's mint requests."""
        from telefine_assets.cli.attest_shared import ledger_of
        from telefine_assets.ledger.mint_requests import MintRequests

        return MintRequests(ledger_of(self.settings))

    def token(self, named: str | None = None) -> Token:
        """The token that is meant: by today's settings, unless another is named."""
        from telefine_assets.payouts.token import token_named, token_of

        return token_named(named) if named else token_of(self.program.payout)

    def payout(self, day: str | None, token: Token) -> Mapping[str, Any]:
        """The payout record of a day, or the one with the newest tree.

        Raises:
            TelefineError: what was paid is of another token.
        """
        from telefine_assets.payouts.exports import newest
        from telefine_assets.payouts.token import of_token

        if day is None:
            days = self.records.days(self.name, STAGE)
            return newest((self.records.read(self.name, STAGE, each) for each in days), token)
        record = self.records.read(self.name, STAGE, day)
        of_token([record], token)
        return record

    def claims(self, day: str | None, token: Token) -> ClaimSet:
        """The claims under the newest root, or under a day's, checked against the ledger.

        Raises:
            TelefineError: see ``payout``, and ``payouts.exports.checked_claims``.
        """
        from telefine_assets.payouts.exports import checked_claims

        record, ledger = self.payout(day, token), self.payouts()
        paid = ledger.of(record["attestation"]) if day and record["attestation"] else None
        return checked_claims(record, ledger.totals_before(self.name, token, paid.seq + 1 if paid else None))

    def signer(self) -> Signer:
        """The signer of this deployment.

        Raises:
            TelefineError: the settings name no usable key.
        """
        from telefine_assets.cli.attest_shared import signer_of

        return signer_of(self.settings.signer)


def opened(program: str | None) -> Place:
    """The program that is meant, with its store."""
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings, name, own = chosen(program)
    files = Files(settings.store.uri)
    return Place(settings, name, own, RecordStore(files), EvidenceStore(files))


def attested(place: Place, day: str) -> VerifiedAttestation:
    """The attestation of a day, verified again from its evidence and this deployment's log.

    Raises:
        TelefineError: the day has none.
        VerificationFailed: it does not verify, is revoked, signatures are missing, or evidence was
            erased before it was paid for.
    """
    from telefine_assets.attestation.attesting import ERASED, reverify
    from telefine_assets.cli.attest_shared import ledger_of, trust_of

    record = place.records.read(place.name, "attestations", day)
    standing = reverify(record, trust_of(place.settings, ledger_of(place.settings)), place.evidence.find)
    if standing.verified is None:
        raise TelefineError(f"{place.name} {day} has no attestation: {record['reason']}")
    stands = standing.outcome == ERASED and place.paid_for(standing.verified) is not None
    if standing.failure is not None and not stands:
        raise standing.failure
    return standing.verified


def write_once(
    output: Path | None,
    content: bytes,
    as_json: bool = False,
    facts: Mapping[str, Any] | None = None,
    lines: Iterable[str] = (),
) -> None:
    """Write a new file and tell of it, after what else there is to say; without a name, nothing is written.

    Raises:
        TelefineError: a file of that name holds something else.
    """
    if output is None:
        told = f"dry run: {len(content)} bytes, nothing written; name a file with --output"
    else:
        if output.exists() and output.read_bytes() != content:
            raise TelefineError(f"{output} exists and holds something else; choose another name")
        replace_file(output, content)
        told = f"{output}: {len(content)} bytes"
    file = {"file": None if output is None else str(output), "bytes": len(content)}
    tell(as_json, {**(facts or {}), **file}, (*lines, told))


def replace_file(output: Path, content: bytes) -> None:
    """Write or replace a file in one step."""
    from telefine_assets.store.files import Files

    Files(str(output.absolute().parent)).write(output.name, content)
