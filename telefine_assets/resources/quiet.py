"""Resources that do not tell what they hold."""

from __future__ import annotations

import dagster as dg


class QuietResource(dg.ConfigurableResource):
    """A resource whose fields stand in no message: within a run an address may hold a password."""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """What pydantic shows of it: nothing."""
        return []
