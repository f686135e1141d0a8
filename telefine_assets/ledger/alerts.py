"""Alerts and their deliveries: what was told of, to which channels, and what became of it.

An alert and what is to be delivered of it are written by one transaction, so
that neither is without the other, whoever is killed in between. A delivery is
begun by a row that only one process can write; it is sent after that.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, or_, select

from telefine_assets.alerts.records import Alert, Delivery, Event, Kind, Raised
from telefine_assets.canonical import canonical_json
from telefine_assets.ledger.audit import append_to
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.ledger.schema import alert_attempts as attempts
from telefine_assets.ledger.schema import alerts

_CHUNK = 500
_FAILED = (Event.FAILED, Event.DEAD)
_AHEAD_MS = 300_000
"""Clocks of two hosts may differ so much; what was written later than that was written by a clock that was ahead."""


class Alerts:
    """All alerts of a deployment."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def record(self, alert: Alert, channels: Collection[str], at_ms: int) -> bool:
        """Record an alert, to be delivered to ``channels``.

        Returns:
            Whether it is new; one that was recorded before changes nothing.
        """
        row = {"key": alert.key, "kind": alert.kind, "program": alert.program, "raised_ms": at_ms}
        with self._ledger.writing() as connection:
            if _find(connection, alert.key) is not None:
                return False
            connection.execute(insert(alerts).values(**row, body=canonical_json(alert.to_record()).decode()))
            for channel in sorted(channels):
                queued = {"key": alert.key, "channel": channel, "attempt": 0, "tries": 0, "reason": ""}
                _write(connection, **queued, event=Event.QUEUED, at_ms=at_ms, due_ms=at_ms)
            return True

    def unknown(self, found: Sequence[Alert]) -> list[Alert]:
        """Those that were not recorded yet, each once."""
        by_key = {each.key: each for each in found}
        keys, known = list(by_key), set()
        with self._ledger.reading() as connection:
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                known |= {*connection.scalars(select(alerts.c.key).where(alerts.c.key.in_(chunk)))}
        return [each for key, each in by_key.items() if key not in known]

    def latest(self, limit: int, kind: Kind | None = None, program: str | None = None) -> list[Raised]:
        """The newest alerts, the newest first."""
        query = select(alerts).order_by(alerts.c.seq.desc()).limit(limit)
        query = query if kind is None else query.where(alerts.c.kind == kind)
        query = query if program is None else query.where(alerts.c.program == program)
        with self._ledger.reading() as connection:
            return [_raised(row) for row in connection.execute(query)]

    def find(self, key: str) -> Raised | None:
        """An alert by its key."""
        with self._ledger.reading() as connection:
            return _find(connection, key)

    def deliveries(self, key: str) -> list[Delivery]:
        """What became of an alert, oldest first."""
        query = select(attempts).where(attempts.c.key == key).order_by(attempts.c.seq)
        with self._ledger.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def due(self, now_ms: int, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """Deliveries whose time has come, and those of :meth:`ahead`, whose time says nothing.

        Those to the channel that failed last come last, so that it cannot keep the others
        waiting; of equals the longest due comes first.

        Args:
            now_ms: Unix milliseconds.
            limit: at most so many.
            without: channels to which none are wanted.
        """
        failed = select(attempts.c.channel, func.max(attempts.c.seq).label("seq"))
        last = failed.where(attempts.c.event.in_(_FAILED)).group_by(attempts.c.channel).subquery()
        query = _standing().outerjoin(last, last.c.channel == attempts.c.channel)
        query = query.where(or_(attempts.c.due_ms <= now_ms, _ahead(now_ms)))
        query = query.where(attempts.c.channel.not_in(sorted(without)))
        query = query.order_by(func.coalesce(last.c.seq, 0), attempts.c.due_ms, attempts.c.seq).limit(limit)
        with self._ledger.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def late(self, before_ms: int) -> bool:
        """Whether any delivery has been due since before a moment, in Unix milliseconds."""
        with self._ledger.reading() as connection:
            return connection.execute(_standing().where(attempts.c.due_ms <= before_ms).limit(1)).first() is not None

    def ahead(self, now_ms: int) -> list[Delivery]:
        """Deliveries that wait, and that a clock wrote which was ahead of ``now_ms``; oldest first."""
        query = _standing().where(_ahead(now_ms)).order_by(attempts.c.seq)
        with self._ledger.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def waiting(self) -> int:
        """How many deliveries are due now or later."""
        with self._ledger.reading() as connection:
            return len(connection.execute(_standing().where(attempts.c.due_ms.is_not(None))).all())

    def dead(self) -> list[Delivery]:
        """Deliveries that are not tried again, oldest first."""
        query = _standing().where(attempts.c.event == Event.DEAD).order_by(attempts.c.seq)
        with self._ledger.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def begin(self, due: Delivery, now_ms: int, lease_ms: int) -> Delivery | None:
        """Begin a delivery that is due, to be ended within ``lease_ms``; after that it is due again.

        Returns:
            It as it stands now, or None when another process was faster.
        """
        with self._ledger.writing() as connection:
            if _last(connection, due.key, due.channel) != due:
                return None
            counts = {"attempt": due.attempt + 1, "tries": due.tries + 1}
            until = {"at_ms": now_ms, "due_ms": now_ms + lease_ms}
            _write(connection, key=due.key, channel=due.channel, **counts, event=Event.BEGUN, **until, reason="")
            return _last(connection, due.key, due.channel)

    def end(self, begun: Delivery, event: Event, at_ms: int, due_ms: int | None, reason: str) -> None:
        """Write what became of a delivery that was begun.

        Who took so long that another process began it again says no more than that it was delivered.
        """
        with self._ledger.writing() as connection:
            if event is Event.DELIVERED or _last(connection, begun.key, begun.channel) == begun:
                same = {name: getattr(begun, name) for name in ("key", "channel", "attempt", "tries")}
                _write(connection, **same, event=event, at_ms=at_ms, due_ms=due_ms, reason=reason)

    def replay(self, key: str, channel: str | None, by: str, at_ms: int) -> list[str]:
        """Have an alert delivered that was given up or waits, to one channel or to all where it does.

        Returns:
            The channels to which it will be.

        Raises:
            LedgerError: there is nothing of the kind to deliver.
        """
        with self._ledger.writing() as connection:
            query = _standing().where(attempts.c.key == key, attempts.c.event.in_([*_FAILED, Event.QUEUED]))
            undelivered = [_delivery(row) for row in connection.execute(query.order_by(attempts.c.channel))]
            wanted = [each for each in undelivered if channel in (None, each.channel)]
            if not wanted:
                raise LedgerError(
                    f"{key}: no delivery of it was given up or waits; `telefine alerts show` says what became of it"
                )
            for each in wanted:
                same = {"key": key, "channel": each.channel, "attempt": each.attempt, "tries": 0}
                _write(connection, **same, event=Event.REPLAYED, at_ms=at_ms, due_ms=at_ms, reason="")
                entry = AuditEntry(by, "replayed an alert", key, {"channel": each.channel})
                append_to(connection, entry, datetime.fromtimestamp(at_ms / 1000, UTC))
            return [each.channel for each in wanted]


def _find(connection: Connection, key: str) -> Raised | None:
    row = connection.execute(select(alerts).where(alerts.c.key == key)).first()
    return None if row is None else _raised(row)


def _write(connection: Connection, **row: Any) -> None:
    connection.execute(insert(attempts).values(**row))


def _standing() -> Select[Any]:
    """The latest row of every delivery."""
    later = attempts.alias()
    newer = select(later.c.seq).where(
        later.c.key == attempts.c.key, later.c.channel == attempts.c.channel, later.c.seq > attempts.c.seq
    )
    return select(attempts).where(~newer.exists())


def _ahead(now_ms: int) -> ColumnElement[bool]:
    return and_(attempts.c.due_ms.is_not(None), attempts.c.at_ms > now_ms + _AHEAD_MS)


def _last(connection: Connection, key: str, channel: str) -> Delivery | None:
    query = select(attempts).where(attempts.c.key == key, attempts.c.channel == channel)
    row = connection.execute(query.order_by(attempts.c.seq.desc()).limit(1)).first()
    return None if row is None else _delivery(row)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{**row._mapping, "event": Event(row.event)})


def _raised(row: Row[Any]) -> Raised:
    return Raised(Alert.from_record(json.loads(row.body)), row.raised_ms)
