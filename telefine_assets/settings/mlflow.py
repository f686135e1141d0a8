"""Settings of MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from telefine_assets.settings.addresses import Address, has_password
from telefine_assets.settings.group import Group


class MlflowSettings(Group):
    """Where traces come from and where runs and versions are recorded."""

    tracking_uri: Address = Field(
        "", repr=False, description="Database or server with the traces; mlflow.db in `home` when empty."
    )
    artifacts: Address = Field(
        "",
        repr=False,
        description="Where the files of Telefine's own experiments go; when empty, the server decides, or they are in "
        "the folder `mlflow-artifacts` in `home`.",
    )
    ui_url: str | None = Field(None, description="Base URL of the MLflow UI, for links.")
    run_per: Literal["asset_partition", "dagster_run"] = Field(
        "asset_partition", description="What one MLflow run records: a stage of a day, or a whole run of Dagster."
    )
    trace_source: Literal["auto", "direct", "api"] = Field(
        "auto", description="How traces are read: from the database itself, through MLflow's API, or what fits."
    )

    @field_validator("ui_url")
    @classmethod
    def _for_links(cls, ui_url: str | None) -> str | None:
        if ui_url is not None and has_password(ui_url):
            raise ValueError("must be without user, password or key: it stands in links")
        return ui_url


def anchored_artifacts(uri: str, tracking_uri: str, home: Path, directory: Path) -> str:
    """A place that is the same whoever asks; empty leaves it to MLflow's server, which alone sees its own disk."""
    if not uri:
        return "" if tracking_uri.startswith(("http://", "https://")) else str(home / "mlflow-artifacts")
    return uri if ":/" in uri else str((directory / uri).resolve())
