"""Settings of the REST API: ``api``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from telefine_assets.settings.group import Group

Origin = Annotated[str, Field(pattern=r"^https?://[^\s/*@]+$")]


class ApiSettings(Group):
    """What the API lets strangers and key-holders do, and how much of it."""

    pages: bool = Field(True, description="Whether web pages for people are served beside the API.")
    requests_per_second: int = Field(50, ge=1, le=100_000, description="Of each key, sustained.")
    requests_burst: int = Field(200, ge=1, le=1_000_000, description="Of each key, at once.")
    anonymous_per_minute: int = Field(120, ge=1, le=1_000_000, description="Of each address without a key, sustained.")
    anonymous_burst: int = Field(60, ge=1, le=1_000_000, description="Of each address without a key, at once.")
    max_body_bytes: int = Field(64 * 2**10, ge=2**10, description="Largest request body.")
    max_batch_bytes: int = Field(32 * 2**20, ge=2**10, description="Largest batch of traces.")
    drain: bool = Field(True, description="Whether `telefine serve` writes what was handed in to MLflow.")
    drain_late_seconds: int = Field(
        900, ge=1, description="For how long a trace may wait for MLflow, while none is written, until that is a fault."
    )
    public_metrics: bool = Field(False, description="Whether metrics are read without a key.")
    max_followers: int = Field(50, ge=1, le=10_000, description="Streams of run progress at once.")
    public_evidence: bool = Field(
        False, description="Whether evidence files of attestations, which quote traces, are read without a key."
    )
    cors_origins: tuple[Origin, ...] = Field(
        (), description="Web pages of other origins that may read; none by default."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies whose X-Forwarded-For is believed; none by default."
    )
