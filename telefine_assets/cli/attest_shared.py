"""What the commands below ``telefine attest`` share: signer, trust, records and questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import print_json, short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.failures import VerificationFailed
    from telefine_assets.attestation.policy import SignerPolicy
    from telefine_assets.attestation.signatures import Signer
    from telefine_assets.attestation.standing import DayStanding
    from telefine_assets.attestation.trust import Trust
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.records import AuditEntry
    from telefine_assets.settings.schema import Settings
    from telefine_assets.settings.signer import SignerSettings
    from telefine_assets.store.evidence import EvidenceStore

_LONG = 2000

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AcceptErased = Annotated[
    bool, typer.Option("--accept-erased", help="Believe the log's signed word for evidence that was erased.")
]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log, for everybody to read.")]


def signer_of(settings: SignerSettings) -> Signer:
    """The signer that the settings name.

    Raises:
        TelefineError: the settings name no usable key.
    """
    from telefine_assets.attestation.signers import LocalKeySigner
    from telefine_assets.resources.signing import SignerResource

    if settings.kind == "environment" and settings.private_key is not None:
        return LocalKeySigner(settings.private_key.get_secret_value())
    return SignerResource.of(settings, "").signer()


def ledger_of(settings: Settings) -> Ledger:
    """The deployment's ledger."""
    from telefine_assets.ledger.connection import Ledger

    return Ledger(settings.ledger.url)


def trust_of(settings: Settings, ledger: Ledger) -> Trust:
    """Whom the deployment trusts, by its own log."""
    from telefine_assets.resources.signing import SignerResource

    return SignerResource.of(settings.signer, settings.deployment).trust(ledger)


def evidence_of(settings: Settings) -> EvidenceStore:
    """The deployment's evidence."""
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.files import Files

    return EvidenceStore(Files(settings.store.uri))


def record_of(settings: Settings, uid: str, program: str | None = None) -> Mapping[str, Any]:
    """The record of an attestation, by its uid or its day.

    Of one that was revoked and issued again, it says uid and bundle only.

    Raises:
        TelefineError: there is none.
    """
    from telefine_assets.attestation.reissuing import STAGE as REISSUES
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    records = RecordStore(Files(settings.store.uri))
    for name in [program] if program else list(settings.programs):
        for day in records.days(name, "attestations"):
            record = records.read(name, "attestations", day)
            if record["uid"] and uid in (record["uid"], day):
                return record
            again = records.find(name, REISSUES, day) or {"replaced": ()}
            for each in again["replaced"]:
                if each["uid"] == uid:
                    return each
    raise TelefineError(f"no attestation {uid}; see the asset 'attestations' for the days that have one")


def standing_in(settings: Settings, program: str) -> Callable[[str], DayStanding]:
    """What stands of a program's days now: asked by day."""
    from telefine_assets.attestation.standing import LogNow, standing_of_day
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    ledger = ledger_of(settings)
    now, records = LogNow.of(trust_of(settings, ledger), ledger), RecordStore(Files(settings.store.uri))
    return lambda day: standing_of_day(records, program, day, now, evidence_of(settings).get)


def without_threshold(policy: SignerPolicy) -> SignerPolicy:
    """The same policy for whoever is about to add a signature: one is enough until then."""
    return replace(policy, required=1, attesters=frozenset())


def refuse(what: str, failure: VerificationFailed, as_json: bool) -> typer.Exit:
    """Say what is wrong; the detail is a stranger's, and may be long."""
    detail = short(failure.detail, _LONG)
    typer.echo(f"{what}: {failure.code}: {detail}", err=True)
    if as_json:
        print_json({"valid": False, "code": failure.code, "detail": detail})
    return typer.Exit(1)


def asked(question: str, yes: bool, as_json: bool) -> None:
    """Go on only if the answer is yes; whoever wants JSON has given it with ``--yes``.

    Raises:
        TelefineError: there is nobody to ask, since JSON is wanted.
        typer.Abort: it is not.
    """
    if not yes and as_json:
        raise TelefineError(f"--json asks nothing: {question} Say so with --yes")
    if not yes:
        typer.confirm(question, abort=True)


def audit_entry(actor: str, action: str, subject: str, **details: object) -> AuditEntry:
    """A row for the audit log about what a key's holder decided."""
    from telefine_assets.ledger.records import AuditEntry

    return AuditEntry(actor, action, subject, details)
