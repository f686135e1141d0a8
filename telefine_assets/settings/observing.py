"""Settings of what can be seen of a deployment from outside: ``observing``. Nothing leaves the machine unless asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from telefine_assets.settings.addresses import has_password
from telefine_assets.settings.group import Group


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or has_password(url):
        raise ValueError("must be http(s)://<host>[:<port>][/<path>], without user, password or query")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base)]


class CountsSettings(Group):
    """Where the counts go that only a run knows: calls of language models, durations, failures.

    By default the API tells them, which it can where runs and API share a disk.
    """

    textfile_dir: Path | None = Field(None, description="Folder of node_exporter's textfile collector.")
    pushgateway: BaseUrl | None = Field(None, description="Base URL of a Prometheus Pushgateway.")
    every_seconds: float = Field(
        15.0, ge=1, le=3600, allow_inf_nan=False, description="How often a run writes them while it goes on."
    )

    @model_validator(mode="after")
    def _one_way(self) -> CountsSettings:
        if self.textfile_dir is not None and self.pushgateway is not None:
            raise ValueError("set textfile_dir or pushgateway, not both: everything would be counted twice")
        return self

    @property
    def told_by_api(self) -> bool:
        """Whether the API tells them, for nobody else does."""
        return self.textfile_dir is None and self.pushgateway is None


class ObservingSettings(Group):
    """Logs, counts, traces and errors of Telefine's own work."""

    log_format: Literal["console", "json"] = Field(
        "console", description="How the API and runs write their logs: for people, or one JSON object a line."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least that is logged.")
    metrics: CountsSettings = CountsSettings()
    otlp_endpoint: BaseUrl | None = Field(
        None, description="Base URL of an OpenTelemetry collector (OTLP over HTTP, such as http://127.0.0.1:4318)."
    )
    sentry_dsn: SecretStr | None = Field(None, description="Only from TELEFINE_OBSERVING__SENTRY_DSN.")

    def anchored(self, directory: Path) -> ObservingSettings:
        """The same, with its folder relative to ``directory``."""
        folder = self.metrics.textfile_dir
        metrics = self.metrics.model_copy(update={"textfile_dir": folder and (directory / folder).resolve()})
        return self.model_copy(update={"metrics": metrics})

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn is not None and not re.fullmatch(r"https?://[^@/\s]+@[^@/\s]+/\S+", dsn.get_secret_value()):
            raise ValueError("must be http(s)://<key>@<host>/<project>, as the service shows it")
        return dsn
