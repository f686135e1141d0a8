"""What of the extra ``observability`` is asked for by settings, and what to do where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from telefine_assets.errors import TelefineError


class MissingExtra(TelefineError):
    """A setting needs packages that are not installed."""


@contextmanager
def needed_by(setting: str) -> Iterator[None]:
    """Around the imports that a setting needs.

    Raises:
        MissingExtra: a package is missing; the message names the extra.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtra(
            f"{setting} is set, and {error.name or 'a package'} is not installed: "
            "install telefine-assets[observability]"
        ) from error
