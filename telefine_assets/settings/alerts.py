"""Settings of alerts: which channels there are, what each is told of, and when a day is odd. Off until turned on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from telefine_assets.alerts.records import Kind
from telefine_assets.alerts.webhook import address, keys_of
from telefine_assets.settings.group import Group, Name


class ChannelSettings(Group):
    """What every channel has."""

    url: SecretStr | None = Field(None, description="Only from TELEFINE_ALERTS__CHANNELS__<NAME>__URL.")
    kinds: tuple[Kind, ...] = Field((), description="What it is told of; everything when empty.")
    programs: tuple[Name, ...] = Field(
        (), description="Whose alerts it gets, beside those of the whole deployment; every program's when empty."
    )

    def wants(self, kind: str, program: str | None) -> bool:
        """Whether it is told of this."""
        return (not self.kinds or kind in (*self.kinds, Kind.ALERTS_ON)) and (
            not self.programs or program is None or program in self.programs
        )


class AppriseSettings(ChannelSettings):
    """A service that apprise knows, by its URL."""

    kind: Literal["apprise"]


class WebhookSettings(ChannelSettings):
    """Signed requests to an address of yours."""

    kind: Literal["webhook"]
    secret: SecretStr | None = Field(
        None,
        description="Only from TELEFINE_ALERTS__CHANNELS__<NAME>__SECRET; several with blanks between, newest first.",
    )

    @field_validator("url")
    @classmethod
    def _https(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            address(url.get_secret_value())
        return url

    @field_validator("secret")
    @classmethod
    def _keys(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            keys_of(secret.get_secret_value())
        return secret


AnyChannel = Annotated[AppriseSettings | WebhookSettings, Field(discriminator="kind")]


class AnomalySettings(Group):
    """When a day's traces are odd, beside those of the weeks before."""

    enabled: bool = Field(True, description="Whether days are looked at.")
    window_days: int = Field(56, ge=28, le=366, description="How many days before it a day is compared with.")
    threshold: float = Field(
        3.5, ge=2, le=100, allow_inf_nan=False, description="How many robust standard deviations are odd."
    )
    least_volume_percent: int = Field(20, ge=1, le=1000, description="A smaller change of the volume is not told.")
    least_points: float = Field(
        3.0, ge=0.1, le=100, allow_inf_nan=False, description="A smaller change of score or drop rate is not told."
    )
    min_traces: int = Field(20, ge=1, le=1_000_000, description="Rates of a day with fewer say nothing.")


class AlertsSettings(Group):
    """Who is told, and how."""

    enabled: bool = Field(False, description="Whether anything is told.")
    channels: dict[Name, AnyChannel] = Field({}, description="By name.")
    anomalies: AnomalySettings = AnomalySettings()
    every_seconds: int = Field(30, ge=1, le=86_400, description="How often is looked, and delivered.")
    failing_ticks: int = Field(3, ge=1, le=1_000, description="So many failed ticks of a sensor in a row are told.")
    max_attempts: int = Field(16, ge=1, le=100, description="Then a delivery is given up, until you replay it.")
    first_pause_seconds: int = Field(30, ge=1, le=86_400, description="After the first attempt; doubles each time.")
    longest_pause_minutes: int = Field(360, ge=1, le=10_080, description="The pause grows up to this.")
    timeout_seconds: float = Field(10.0, ge=0.1, le=30, allow_inf_nan=False, description="Of one attempt.")
