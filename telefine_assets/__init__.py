"""Telefine: production traces of DSPy programs, turned into better programs, proofs and payouts.

``telefine_assets.defs`` is the Dagster code location. It is made when it is
first asked for, so that importing one of the pure packages loads no Dagster.
"""

from typing import Any

__all__ = ["defs"]


def __getattr__(name: str) -> Any:
    """Build ``defs`` on demand (PEP 562)."""
    if name == "defs":
        from telefine_assets.definitions import defs

        return defs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Let tools that look for definitions find ``defs`` without building it."""
    return [*globals(), "defs"]
