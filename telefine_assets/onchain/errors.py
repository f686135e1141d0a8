"""What goes wrong between here and a chain."""

from __future__ import annotations

from telefine_assets.errors import TelefineError


class ChainError(TelefineError):
    """The chain, its node or a contract is not as it must be."""
