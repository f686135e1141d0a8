"""The store and the ledger, as Dagster resources."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from telefine_assets.resources.quiet import QuietResource

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore


class StoreResource(QuietResource):
    """Tables, records and evidence below one fsspec URI."""

    uri: str

    @property
    def tables(self) -> TableStore:
        """Daily Parquet tables."""
        from telefine_assets.store.files import Files
        from telefine_assets.store.tables import TableStore

        return TableStore(Files(self.uri))

    @property
    def records(self) -> RecordStore:
        """Daily JSON records."""
        from telefine_assets.store.files import Files
        from telefine_assets.store.records import RecordStore

        return RecordStore(Files(self.uri))

    @property
    def evidence(self) -> EvidenceStore:
        """Content-addressed evidence."""
        from telefine_assets.store.evidence import EvidenceStore
        from telefine_assets.store.files import Files

        return EvidenceStore(Files(self.uri))


class LedgerResource(QuietResource):
    """The append-only ledger."""

    url: str

    def open(self) -> Ledger:
        """The ledger; one connection pool for each process."""
        return _ledger(self.url)


@lru_cache
def _ledger(url: str) -> Ledger:
    from telefine_assets.ledger.connection import Ledger

    return Ledger(url)
