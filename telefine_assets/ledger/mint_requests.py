"""Mint requests that were signed: one for each attestation, for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from telefine_assets.ledger.champions import require_gain
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.schema import mint_requests


class MintRequests:
    """Which request is signed for an attestation.

    A contract takes an attestation once for each of its models. Another
    contract, or another model, would mint for the same gain again.
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
            LedgerError: the attestation has no gain to pay for, or another
                request of it, or of one that it replaces, stands.
        """
        with self._ledger.writing() as connection:
            if not _require(connection, attestation, digest, replaces):
                connection.execute(insert(mint_requests).values(attestation=attestation, digest=digest))


def _require(connection: Connection, attestation: str, digest: str, replaces: Sequence[str]) -> bool:
    """Whether the request stands already."""
    require_gain(connection, attestation, replaces)
    minted = connection.scalar(
        select(mint_requests.c.attestation).where(mint_requests.c.attestation.in_([*replaces])).limit(1)
    )
    if minted is not None:
        raise LedgerError(
            f"attestation {attestation} replaces {minted}, for which a mint request was signed; a second one would "
            "mint for the same gain again"
        )
    query = select(mint_requests.c.digest).where(mint_requests.c.attestation == attestation)
    standing = connection.scalar(query)
    if standing not in (None, digest):
        raise LedgerError(
            f"attestation {attestation} has a mint request already, {standing}; {digest} would mint for it again. "
            "Use the file of the one that stands"
        )
    return standing is not None
