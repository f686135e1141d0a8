"""The alerts sensor: what happened is recorded, each thing once, and what is due is delivered."""

import dagster as dg

from telefine_assets.alerts.records import Alert
from telefine_assets.assets.line import Line
from telefine_assets.automation.jobs import status_of
from telefine_assets.automation.observed import observed_tick
from telefine_assets.observing.observer import Observer
from telefine_assets.resources.storage import LedgerResource, StoreResource
from telefine_assets.settings.schema import Settings

NAME = "telefine_alerts"


class LedgerNotifier:
    """Records alerts of failed runs, to be delivered by the sensor."""

    def __init__(self, settings: Settings) -> None:
        """Record them in the ledger of these settings."""
        self._settings = settings

    def notify(self, alert: Alert) -> None:
        """See :class:`~telefine_assets.automation.failures.Notifier`; a ledger that cannot be written raises."""
        from telefine_assets.automation.alert_ticks import record

        record(alert, self._settings)


def alerts_sensor(lines: list[Line], settings: Settings) -> dg.SensorDefinition:
    """The sensor of a deployment."""

    @dg.sensor(
        name=NAME,
        default_status=status_of(settings.alerts.enabled),
        minimum_interval_seconds=settings.alerts.every_seconds,
        description="Tells people what happened: failures, gains, payouts, odd days. Delivers, and tries again.",
    )
    @observed_tick(Observer.of(settings), NAME)
    def telefine_alerts(
        context: dg.SensorEvaluationContext, store: StoreResource, ledger: LedgerResource
    ) -> dg.SensorResult:
        from telefine_assets.automation.alert_ticks import look_and_tell

        return look_and_tell(lines, settings, context, store, ledger)

    return telefine_alerts
