"""Settings of how Dagster is reached."""

from __future__ import annotations

from pydantic import Field

from telefine_assets.settings.group import Group


class DagsterSettings(Group):
    """Dagster's webserver. Where one answers, runs are started through it."""

    url: str = Field(
        "http://127.0.0.1:3000", pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$", description="Address of the webserver."
    )
