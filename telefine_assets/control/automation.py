"""What runs by itself: schedules and sensors, as they are defined and as Dagster's storage knows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from telefine_assets.control.errors import asking
from telefine_assets.control.records import AutomationState

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings.schema import Settings

_FORMAT = "%Y-%m-%d %H:%M"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def automation_of(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> list[AutomationState]:
    """Every schedule and sensor of the deployment, in the order of their names."""
    with asking("the definitions cannot be loaded", "try `telefine config check`"):
        from telefine_assets.definitions import build_defs

        defs = build_defs(settings)
    known = {(each.instigator_name, each.instigator_type.value): each for each in instance.all_instigator_state()}
    states = [
        _state(instance, "schedule", each, known.get((each.name, "SCHEDULE")), now) for each in defs.schedules or ()
    ]
    states += [_state(instance, "sensor", each, known.get((each.name, "SENSOR")), now) for each in defs.sensors or ()]
    return sorted(states, key=lambda each: each.name)


def owner_of(name: str, programs: Iterable[str]) -> str | None:
    """The program whose schedule or sensor has this name; None for one of the deployment's own."""
    return max((each for each in programs if name.startswith(f"{each}_")), key=len, default=None)


def _state(instance: dg.DagsterInstance, kind: str, defined: Any, known: Any, now: datetime) -> AutomationState:
    ticks = instance.get_ticks(known.instigator_origin_id, known.selector_id, limit=1) if known else ()
    tick = ticks[0] if ticks else None
    running = known.is_running if known else defined.default_status.value == "RUNNING"
    error = getattr(tick, "error", None)
    return AutomationState(
        name=defined.name,
        kind=kind,
        running=running,
        next_ms=_next_tick(defined, now) if running and kind == "schedule" else None,
        last_ms=round(tick.timestamp * 1000) if tick else None,
        last=tick.status.value.lower() if tick else None,
        said=(" ".join(error.message.split()) if error else tick.skip_reason) if tick else None,
    )


def _next_tick(schedule: Any, now: datetime) -> int:
    """The first moment after ``now`` that the schedule's cron expression names, in Unix milliseconds."""
    crons = schedule.cron_schedule
    zone = schedule.execution_timezone or "UTC"
    return min(_next_of(cron, zone, now) for cron in ([crons] if isinstance(crons, str) else crons))


def _next_of(cron: str, zone: str, now: datetime) -> int:
    import dagster as dg

    # Dagster's public face has one reader of cron expressions: partitions, which begin at the ticks.
    ticks = dg.TimeWindowPartitionsDefinition(start=_LONG_AGO, fmt=_FORMAT, cron_schedule=cron, timezone=zone)
    # The window that begins at a moment is the next one of that moment too, and that tick is due already.
    window = ticks.get_next_partition_window(now + timedelta(microseconds=1), respect_bounds=False)
    assert window is not None  # without bounds there is always a next one
    return round(window.start.timestamp() * 1000)
