"""The late-feedback sensor: days whose traces changed since they were loaded are loaded again.

A day that reached DeltaOne is loaded again like any other, and nothing is
decided on it again (see ``ledger.closing``).
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.automation.decisions import stretches
from telefine_assets.automation.jobs import job_name, loading, status_of
from telefine_assets.automation.observed import observed_tick
from telefine_assets.canonical import digest_of
from telefine_assets.partitions import bounds_ms, day_of, window
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource


def late_feedback_sensor(line: Line) -> dg.SensorDefinition:
    """The sensor of one program."""
    settings, name = line.settings.sensors.late_feedback, f"{line.name}_late_feedback"

    @dg.sensor(
        name=name,
        job_name=job_name(line),
        minimum_interval_seconds=settings.every_minutes * 60,
        default_status=status_of(settings.enabled),
        description="Asks again for days whose traces, tags or feedback changed since they were loaded.",
    )
    @observed_tick(line.observer, name)
    def late_feedback(
        context: dg.SensorEvaluationContext, store: StoreResource, tracking: MlflowResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        target = line.partitions.get_last_partition_key()
        if target is None:
            return dg.SkipReason("no day is complete yet")
        days = window(target, settings.look_back_days, line.first_day)
        changed = changed_states(line, days, context.instance, store, tracking)
        if not changed:
            return dg.SkipReason(f"nothing changed in {len(days)} days")
        return [
            loading(line, first, last, name, mark)
            for first, last in stretches(changed)
            for mark in [digest_of({day: state for day, state in changed.items() if first <= day <= last})]
        ]

    return late_feedback


def changed_states(
    line: Line, days: list[str], instance: dg.DagsterInstance, store: StoreResource, tracking: MlflowResource
) -> dict[str, list[Any]]:
    """Loaded days that differ from the source: each with what the source says of it and when it was loaded last.

    Both together never come back, even when a feedback is given, taken away and given again.
    """
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.changes import changed_days
    from telefine_assets.traces.days import TRACES
    from telefine_assets.traces.sources.opening import query_of

    query = query_of(
        line.settings,
        load_spec(line.name, line.settings).fields.inputs,
        bounds_ms(days[0])[0],
        bounds_ms(days[-1])[1],
    )
    known, tables = set(store.tables.days(line.name, TRACES)), store.tables

    def stored(day: str) -> Any:
        return tables.columns(line.name, TRACES, day, ["trace_id", "fingerprint"]) if day in known else None

    prints = Prints()
    source = tracking.source(line.settings.traces.files)
    found = list(changed_days(days, prints.seen(source.fingerprints(query)), stored))
    return {each.day: [prints.of(each.day), _loaded(line, each.day, instance)] for each in found if each.loaded}


def _loaded(line: Line, day: str, instance: dg.DagsterInstance) -> int:
    wanted = dg.AssetRecordsFilter(asset_key=line.key("traces"), asset_partitions=[day])
    events = instance.fetch_materializations(wanted, limit=1).records
    return events[0].storage_id if events else 0


class Prints:
    """A digest for each day of the fingerprints that pass through."""

    def __init__(self) -> None:
        """Nothing has passed yet."""
        self._days: dict[str, Any] = {}

    def seen(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The same batches."""
        for batch in batches:
            columns = (batch[name].to_pylist() for name in ("request_time_ms", "trace_id", "fingerprint"))
            for at_ms, trace_id, text in zip(*columns, strict=True):
                self._days.setdefault(day_of(at_ms), hashlib.sha256()).update(f"{trace_id} {text}\n".encode())
            yield batch

    def of(self, day: str) -> str:
        """The digest of one day; that of nothing where no trace was seen."""
        return str(self._days.get(day, hashlib.sha256()).hexdigest())
