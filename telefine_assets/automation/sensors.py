"""All sensors of a deployment, from the settings; off until a deployment turns them on."""

import warnings
from typing import Any

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.automation.alerting import LedgerNotifier, alerts_sensor
from telefine_assets.automation.failure_sensors import failure_sensors
from telefine_assets.automation.jobs import status_of
from telefine_assets.automation.late_feedback import late_feedback_sensor
from telefine_assets.automation.lost_runs import lost_runs_sensor
from telefine_assets.automation.tags import ASKED_BY, PROGRAM
from telefine_assets.automation.trace_volume import trace_volume_sensor
from telefine_assets.observing.observer import Observer
from telefine_assets.settings.automation import AutomationSettings
from telefine_assets.settings.schema import Settings


def sensors_for(lines: list[Line], settings: Settings, jobs: list[Any]) -> list[dg.SensorDefinition]:
    """Each program's sensors, those that watch the failures of all, and the one that tells people."""
    automation, observer = settings.automation, Observer.of(settings)
    notifier = LedgerNotifier(settings) if settings.alerts.enabled else None
    return [
        *(sensor for line in lines for sensor in (trace_volume_sensor(line), late_feedback_sensor(line))),
        *(_follow_up(line, automation) for line in lines),
        *failure_sensors(lines, automation, jobs, notifier, observer),
        lost_runs_sensor(automation, observer),
        alerts_sensor(lines, settings),
    ]


def _follow_up(line: Line, automation: AutomationSettings) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the conditions of the stages that come after a compile."""
    name = f"{line.name}_follow_up"
    with warnings.catch_warnings():
        # Conditions of our own are a beta; a test with a real daemon holds what we need of them.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            name,
            target=dg.AssetSelection.groups(line.name),
            run_tags={PROGRAM: line.name, ASKED_BY: name, **automation.run_tags},
            default_status=status_of(automation.follow_up),
            minimum_interval_seconds=30,
            emit_backfills=False,
            use_user_code_server=True,
            description="Asks for DeltaOne and all that follows once something was compiled and its checks passed.",
        )
