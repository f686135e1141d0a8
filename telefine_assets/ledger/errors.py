"""What a ledger refuses."""

from __future__ import annotations

from telefine_assets.errors import TelefineError


class LedgerError(TelefineError):
    """The ledger cannot do what was asked; nothing was written."""
