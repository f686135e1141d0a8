"""The attester's signer, as a Dagster resource. It hands out signers, never keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from telefine_assets.errors import TelefineError
from telefine_assets.resources.quiet import QuietResource
from telefine_assets.settings.signer import SignerSettings

if TYPE_CHECKING:
    from telefine_assets.attestation.eas import EasDomain
    from telefine_assets.attestation.signatures import Signer
    from telefine_assets.attestation.trust import Trust
    from telefine_assets.ledger.connection import Ledger

_VARIABLE = "TELEFINE_SIGNER__PRIVATE_KEY"


class SignerResource(QuietResource):
    """Who signs, and for which contract and log."""

    kind: str
    keystore: str | None = None
    password_file: str | None = None
    command: list[str] = Field(default_factory=list)
    address: str | None = None
    chain_id: int
    eas_contract: str
    eas_version: str
    log_origin: str
    required: int = 1
    attesters: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, settings: SignerSettings, deployment: str) -> SignerResource:
        """The resource for these settings."""
        return cls(
            kind=settings.kind,
            keystore=str(settings.keystore) if settings.keystore else None,
            password_file=str(settings.password_file) if settings.password_file else None,
            command=list(settings.command),
            address=settings.address,
            chain_id=settings.chain_id,
            eas_contract=settings.eas_contract,
            eas_version=settings.eas_version,
            log_origin=deployment,
            required=settings.required,
            attesters=list(settings.attesters),
        )

    def domain(self) -> EasDomain:
        """The EAS contract that attestations are meant for."""
        from telefine_assets.attestation.eas import EasDomain

        return EasDomain(self.eas_version, self.chain_id, self.eas_contract)

    def trust(self, ledger: Ledger) -> Trust:
        """Whom this deployment trusts, by the log in its ledger."""
        from telefine_assets.attestation.trust import Trust
        from telefine_assets.ledger.cosignatures import Cosignatures
        from telefine_assets.ledger.log import LogLeaves

        kept = Cosignatures(ledger)
        return Trust(self.domain(), self.log_origin, LogLeaves(ledger), kept, self.required, frozenset(self.attesters))

    def signer(self) -> Signer:
        """A signer that is ready to sign.

        Raises:
            TelefineError: when the settings name no usable key; the message says what to set.
        """
        from telefine_assets.attestation.signers import ExternalCommandSigner, KeystoreSigner, LocalKeySigner

        if self.kind == "environment":
            # Read here and kept nowhere: a resource is shown, dumped and pickled.
            key = os.environ.get(_VARIABLE)
            if not key:
                raise TelefineError(
                    f"signer.kind = 'environment': set {_VARIABLE} to a private key: 64 hexadecimal digits, such as "
                    "`openssl rand -hex 32` makes"
                )
            return LocalKeySigner(key)
        if self.kind == "command":
            if not self.command or not self.address:
                raise TelefineError("signer.kind = 'command': set signer.command and signer.address")
            return ExternalCommandSigner(self.command, self.address)
        if not self.keystore or not self.password_file:
            raise TelefineError("signer.kind = 'keystore': set signer.keystore and signer.password_file")
        password = Path(self.password_file)
        if not password.is_file():
            raise TelefineError(f"signer.password_file = {self.password_file!r}: no such file")
        return KeystoreSigner.from_file(Path(self.keystore), lambda: password.read_text(encoding="utf-8").strip())
