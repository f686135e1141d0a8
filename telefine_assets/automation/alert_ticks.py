"""What the alerts sensor does in a tick: look at everything, record what is new, deliver what is due.

Apart from the sensor, which is made whenever the code location is loaded; this is loaded when it ticks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta

import dagster as dg

from telefine_assets.alerts.delivering import Delivered, deliver_due
from telefine_assets.alerts.raising import on_since_ms, open_channels, patience_of, raise_all, raise_one
from telefine_assets.alerts.records import Alert
from telefine_assets.assets.line import Line
from telefine_assets.automation.alert_sources import (
    OVERLAP,
    ended_runs,
    failed_checks,
    failed_runs,
    failing_automation,
    improvement_reports,
    ledger_news,
    made_lately,
    odd_days,
    updated_ms,
)
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.alerts import Alerts
from telefine_assets.partitions import day_of
from telefine_assets.resources.storage import LedgerResource, StoreResource
from telefine_assets.settings.schema import Settings

_VERSION = 1
_DELIVERING_MS = 5_000
"""No attempt begins later in a tick: other sensors wait for this one, and the next tick comes soon."""
_LOOK_BACK_MS = 7 * 86_400_000
"""Without a cursor runs are looked at again from here on, none that ended before alerts were turned on."""


@dataclass(frozen=True)
class Cursor:
    """How far was looked. It saves work: what was told is known from the ledger alone.

    Attributes:
        runs_ms: Unix milliseconds; runs that changed before are done with. 0 when none was looked at.
        judged: for each program the days that were compared, with the event that made each.
    """

    runs_ms: int = 0
    judged: dict[str, dict[str, int]] = field(default_factory=dict)

    def to_json(self) -> str:
        """As Dagster keeps it."""
        return json.dumps({"version": _VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> Cursor:
        """The cursor of a text; the first one when there is none or another Telefine wrote it."""
        try:
            value = json.loads(text or "{}")
            judged = {name: {day: int(at) for day, at in days.items()} for name, days in value["judged"].items()}
            return cls(int(value["runs_ms"]), judged) if value["version"] == _VERSION else cls()
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


def look_and_tell(
    lines: list[Line],
    settings: Settings,
    context: dg.SensorEvaluationContext,
    store: StoreResource,
    ledger: LedgerResource,
) -> dg.SensorResult:
    """One tick of the sensor.

    Raises:
        TelefineError: not everything could be looked at; what was found is told all the same.
    """
    book, cursor = Alerts(ledger.open()), Cursor.from_json(context.cursor)
    on_ms = on_since_ms(book, settings.deployment)
    since = replace(cursor, runs_ms=_since(cursor.runs_ms, on_ms, _now_ms()))
    look = Look(lines, settings, context.instance, store, ledger, since)
    found, cursor, troubles = look.everything()
    # What the very first look does not see would be told later as if it were new.
    raised = _raised(book, found, settings) if on_ms or not troubles else []
    done = _delivered(book, settings)
    for each in done.failures:
        context.log.warning(f"not delivered: {each}")
    if troubles:
        # The cursor stays: it is looked at again.
        raise TelefineError(f"not everything could be looked at: {'; '.join(troubles)}")
    return dg.SensorResult(skip_reason=_said(raised, done), cursor=cursor.to_json())


def record(alert: Alert, settings: Settings) -> None:
    """Record an alert in the ledger of these settings, to be delivered by a tick."""
    book = Alerts(LedgerResource(url=settings.ledger.url).open())
    raise_one(book, alert, settings.alerts, _now_ms())


def _since(runs_ms: int, on_ms: int | None, now_ms: int) -> int:
    """From when on runs are looked at. A cursor that a clock wrote which was ahead is as good as none."""
    if 0 < runs_ms <= now_ms + OVERLAP // timedelta(milliseconds=1):
        return runs_ms
    return max(min(on_ms or now_ms, now_ms), now_ms - _LOOK_BACK_MS)


def _raised(book: Alerts, found: list[Alert], settings: Settings) -> list[Alert]:
    return raise_all(book, found, settings.alerts, settings.deployment, _now_ms())


def _delivered(book: Alerts, settings: Settings) -> Delivered:
    channels = open_channels(settings.alerts, settings.deployment)
    return deliver_due(book, channels, patience_of(settings.alerts), _now_ms, _now_ms() + _DELIVERING_MS)


def _said(raised: list[Alert], done: Delivered) -> str:
    failures = f"; not delivered: {', '.join(sorted({*done.failures}))}" if done.failures else ""
    return f"{len(raised)} new, {done.sent} delivered{failures}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Look:
    """One look at everything that people hear of."""

    def __init__(
        self,
        lines: list[Line],
        settings: Settings,
        instance: dg.DagsterInstance,
        store: StoreResource,
        ledger: LedgerResource,
        cursor: Cursor,
    ) -> None:
        """Look with these, from ``cursor`` on."""
        self._lines, self._settings, self._instance = lines, settings, instance
        self._store, self._ledger, self._cursor = store, ledger, cursor
        self._programs = {line.name for line in lines}
        self._runs_ms, self._judged = cursor.runs_ms, dict(cursor.judged)

    def everything(self) -> tuple[list[Alert], Cursor, list[str]]:
        """What was found, how far was looked, and where it was not possible: one fault keeps nothing else unsaid."""
        alerts, troubles = self._settings.alerts, []
        sources: list[Callable[[], list[Alert]]] = [
            self._runs,
            lambda: failing_automation(self._instance, self._programs, alerts.failing_ticks),
            lambda: ledger_news(self._ledger.open(), self._programs),
            *((lambda line=line: improvement_reports(line, self._store)) for line in self._lines),
            *((lambda line=line: self._days(line)) for line in self._lines if alerts.anomalies.enabled),
        ]
        found: list[Alert] = []
        for source in sources:
            try:
                found += source()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other sources are looked at
                troubles.append(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return found, Cursor(self._runs_ms, self._judged), troubles

    def _runs(self) -> list[Alert]:
        runs = ended_runs(self._instance, self._cursor.runs_ms)
        found = failed_checks(self._instance, runs, self._programs)
        if not self._settings.automation.watch_failures:
            found += failed_runs(self._instance, runs, self._programs)
        # A run that a clock wrote which was ahead says nothing of those that end from now on.
        self._runs_ms = min(max([self._cursor.runs_ms, *map(updated_ms, runs)]), _now_ms())
        return found

    def _days(self, line: Line) -> list[Alert]:
        made = made_lately(line, self._instance, day_of(_now_ms()))
        before = self._cursor.judged.get(line.name, {})
        fresh = [day for day, event in made.items() if before.get(day) != event]
        found = odd_days(line, fresh, self._store, self._settings.alerts.anomalies)
        self._judged[line.name] = made
        return found
