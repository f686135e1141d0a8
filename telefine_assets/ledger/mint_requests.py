"""Mint requests that were signed: one for each attested day, for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.gains import attested_of, require_gain, require_not_revoked
from telefine_assets.ledger.schema import mint_requests


class MintRequests:
    """Which request is signed for an attested day.

    A contract takes an attestation once for each of its models. Another
    contract, another model, or another attestation of the day, would mint
    for the same gain again.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def require(self, attestation: str, digest: str, replaces: Sequence[str] = ()) -> None:
        """Refuse a request that may not be signed; records nothing.

        Raises:
            LedgerError: see ``record``.
        """
        with self._ledger.reading() as connection:
            _require(connection, attestation, digest, replaces)

    def record(self, attestation: str, digest: str, replaces: Sequence[str] = ()) -> None:
        """Let a request be the attestation's only one; call it before signing. The same one again changes nothing.

        Args:
            attestation: the uid.
            digest: the request's, which attesters sign.
            replaces: the revoked attestations that it was issued again for.

        Raises:
            LedgerError: the attestation was revoked, or has no gain to pay for
                (``ledger.gains``), or another request of it, or of another
                attestation of its day, stands.
        """
        with self._ledger.writing() as connection:
            if not _require(connection, attestation, digest, replaces):
                connection.execute(insert(mint_requests).values(attestation=attestation, digest=digest))


def _require(connection: Connection, attestation: str, digest: str, replaces: Sequence[str]) -> bool:
    """Whether the request stands already."""
    champion = require_gain(connection, attestation, replaces)
    standing = connection.scalar(select(mint_requests.c.digest).where(mint_requests.c.attestation == attestation))
    if standing == digest:
        return True
    if standing is not None:
        raise LedgerError(
            f"attestation {attestation} has a mint request already, {standing}; {digest} would mint for it again. "
            "Use the file of the one that stands"
        )
    # Not only what it replaces: it may have verified before it was itself revoked, and replaced by what was minted.
    others = {*attested_of(connection, champion.program, champion.day), *replaces}
    minted = connection.scalar(
        select(mint_requests.c.attestation).where(mint_requests.c.attestation.in_(others)).limit(1)
    )
    if minted is not None:
        raise LedgerError(
            f"{champion.program} {champion.day} has attestation {minted}, for which a mint request was signed; "
            f"a second one, for attestation {attestation}, would mint for the same gain again"
        )
    require_not_revoked(connection, attestation)
    return False
