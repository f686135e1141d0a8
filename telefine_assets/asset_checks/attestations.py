"""Checks of ``attestations``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "attestations"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def verifies_offline(
        context: dg.AssetCheckExecutionContext, store: StoreResource, ledger: LedgerResource, signer: SignerResource
    ) -> dg.AssetCheckResult:
        """The stored attestation verifies from its evidence; there is one exactly when DeltaOne was reached."""
        from telefine_assets.attestation.attesting import reverify
        from telefine_assets.attestation.failures import VerificationFailed

        def problems(day: str) -> Problems:
            record = store.records.read(line.name, STAGE, day)
            reached = store.records.read(line.name, "deltaone_reports", day)["reached"]
            try:
                verified = reverify(record, signer.trust(ledger.open()), store.evidence.find).verified
            except VerificationFailed as failure:
                yield f"{failure.code}: {failure}"
                return
            if (verified is not None) != reached:
                yield "there is an attestation without DeltaOne, or the reverse"

        return result(days_of(context, store.records.days(line.name, STAGE)), problems)

    return [verifies_offline]
