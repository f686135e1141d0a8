"""What goes wrong between Telefine and Dagster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from telefine_assets.errors import TelefineError


class ControlError(TelefineError):
    """Dagster cannot be asked, or refuses; the message says what would cure it."""


@contextmanager
def asking(what: str, cure: str) -> Iterator[None]:
    """Turn whatever Dagster raises in the block into a ``ControlError`` that names ``cure``."""
    try:
        yield
    except TelefineError:
        raise
    except Exception as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ControlError(f"{what}: {said}; {cure}") from error
