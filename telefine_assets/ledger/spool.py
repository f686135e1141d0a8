"""The spool: traces taken in durably and fast, to be written to MLflow later, in their order.

What was answered is on disk before it is answered. Rows are only added: how far a
program's traces are written is a row of another table, and so is one that was put
aside.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.schema import (
    erased,
    spool_batches,
    spool_bodies,
    spool_drains,
    spool_refused,
    spool_replayed,
    spool_traces,
)
from telefine_assets.ledger.spool_records import (
    Delivery,
    Lag,
    Offer,
    Outcome,
    RefusedTrace,
    SpooledTrace,
    Verdict,
)
from telefine_assets.ledger.submissions import receive_in

# SQLite takes some thousand values in a statement, PostgreSQL some more.
_CHUNK = 500
_TRACE = [spool_traces.c[name] for name in ("position", "identity", "submitter", "received_ms")] + [spool_bodies.c.body]
_WITH_BODIES = spool_traces.join(spool_bodies, spool_bodies.c.identity == spool_traces.c.identity)
"""Traces whose text was not erased."""
_ERASED = spool_traces.join(erased, (erased.c.kind == spool_bodies.name) & (erased.c.name == spool_traces.c.identity))
_TAKEN_BEFORE = "another trace has this id already; give each trace an id of its own"


class KeyReused(LedgerError):
    """An idempotency key came back with another batch than the first time."""


class Spool:
    """Traces between their acceptance and MLflow."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def answered(self, submitter: str, key: str, digest: str) -> list[Verdict] | None:
        """What a batch was answered before; None when it is new.

        Raises:
            KeyReused: the key was used for another batch.
        """
        with self._ledger.reading() as connection:
            return _answered(connection, submitter, key, digest)

    def accept(self, delivery: Delivery, received_ms: int) -> list[Verdict]:
        """Take a batch in, in one transaction: its traces, their submissions, and the answer.

        A trace that was taken in before adds nothing; a batch that was answered
        before under its key is answered the same.

        Returns:
            What became of each trace, in the batch's order. When it returns, all of it is on disk.

        Raises:
            KeyReused: the idempotency key was used for another batch.
        """
        with self._ledger.writing() as connection:
            if delivery.key is None:
                return _take_in(connection, delivery, received_ms)
            before = _answered(connection, delivery.submitter, delivery.key, delivery.digest)
            if before is not None:
                return before
            verdicts = _take_in(connection, delivery, received_ms)
            row = {"submitter": delivery.submitter, "idempotency_key": delivery.key, "body_digest": delivery.digest}
            answered = insert(spool_batches).values(**row, answer=_to_text(verdicts), received_ms=received_ms)
            connection.execute(answered)
        return verdicts

    def programs(self) -> list[str]:
        """Programs of which a trace was ever taken in."""
        with self._ledger.reading() as connection:
            first = select(spool_traces.c.program).where(spool_traces.c.position == 0)
            return list(connection.scalars(first.order_by(spool_traces.c.program)))

    def waiting(self, program: str, limit: int) -> list[SpooledTrace]:
        """The first ``limit`` traces of a program that wait, by position."""
        with self._ledger.reading() as connection:
            last = _last(connection, spool_drains, program)
            beyond = select(*_TRACE).select_from(_WITH_BODIES)
            beyond = beyond.where(spool_traces.c.program == program, spool_traces.c.position > last)
            return [_trace(row) for row in connection.execute(beyond.order_by(spool_traces.c.position).limit(limit))]

    def drained(self, program: str, upto: int, refused: Mapping[int, str], at_ms: int) -> None:
        """Mark a program's traces as done with, up to a position; ``refused`` of them are put aside, with the reason.

        Whoever comes second with the same marks adds nothing.
        """
        with self._ledger.writing() as connection:
            if upto <= _last(connection, spool_drains, program):
                return
            connection.execute(insert(spool_drains).values(program=program, upto=upto, at_ms=at_ms))
            rows = [
                {"program": program, "position": position, "reason": reason, "at_ms": at_ms}
                for position, reason in sorted(refused.items())
            ]
            if rows:
                connection.execute(insert(spool_refused), rows)

    def refused(self, program: str) -> list[RefusedTrace]:
        """A program's traces that are put aside, by position."""
        with self._ledger.reading() as connection:
            rows = connection.execute(_aside(program, *_TRACE, spool_refused.c.reason, spool_refused.c.at_ms))
            return [RefusedTrace(_trace(row), row.reason, row.at_ms) for row in rows]

    def replayed(self, program: str, positions: Collection[int], at_ms: int) -> None:
        """Mark traces that were put aside as written after all."""
        with self._ledger.writing() as connection:
            new = self._ledger.dialect.insert(spool_replayed).on_conflict_do_nothing()
            rows = [{"program": program, "position": position, "at_ms": at_ms} for position in sorted(positions)]
            if rows:
                connection.execute(new, rows)

    def lag(self, program: str) -> Lag:
        """How much of a program waits, and since when."""
        return self.lags([program])[program]

    def lags(self, programs: Iterable[str]) -> dict[str, Lag]:
        """How much of each program waits, and since when; of each a few rows are looked up, however many there are."""
        with self._ledger.reading() as connection:
            return {program: _lag(connection, program) for program in programs}


def _lag(connection: Connection, program: str) -> Lag:
    drains = spool_drains.c
    newest = select(drains.upto, drains.at_ms).where(drains.program == program).order_by(drains.upto.desc()).limit(1)
    marked = connection.execute(newest).first()
    done, drained_ms = (-1, None) if marked is None else (marked.upto, marked.at_ms)
    last = _last(connection, spool_traces, program)
    beyond = (spool_traces.c.program == program, spool_traces.c.position > done)
    oldest = select(spool_traces.c.received_ms).select_from(_WITH_BODIES).where(*beyond)
    oldest = oldest.order_by(spool_traces.c.position).limit(1)
    # Far fewer were ever erased than may wait.
    gone = select(func.count()).select_from(_ERASED).where(*beyond)
    waiting = last - done - int(connection.scalar(gone) or 0)
    aside = _aside(program, spool_refused.c.position).subquery()
    refused = connection.scalar(select(func.count()).select_from(aside))
    return Lag(last + 1, waiting, connection.scalar(oldest), int(refused or 0), drained_ms)


def _answered(connection: Connection, submitter: str, key: str, digest: str) -> list[Verdict] | None:
    found = connection.execute(
        select(spool_batches.c.body_digest, spool_batches.c.answer).where(
            spool_batches.c.submitter == submitter, spool_batches.c.idempotency_key == key
        )
    ).first()
    if found is None:
        return None
    if found.body_digest != digest:
        raise KeyReused(f"idempotency key {key!r} was used for another batch; give each batch a key of its own")
    return [Verdict(identity, Outcome(outcome), *more) for identity, outcome, *more in json.loads(found.answer)]


def _to_text(verdicts: Iterable[Verdict]) -> str:
    return json.dumps([[each.identity, each.outcome, each.reason, each.place] for each in verdicts])


def _take_in(connection: Connection, delivery: Delivery, received_ms: int) -> list[Verdict]:
    """Add the batch's new traces and submissions to the tables; what became of each."""
    standing = _digests(connection, {offer.identity for offer in delivery.offers})
    outcomes, new = [], []
    for offer in delivery.offers:
        outcome = _outcome(offer, standing.get(offer.identity))
        outcomes.append(outcome)
        if outcome is Outcome.ACCEPTED:
            standing[offer.identity] = offer.digest
            new.append(offer)
    if new:
        connection.execute(insert(spool_traces), list(_rows(connection, delivery, new, received_ms)))
        connection.execute(insert(spool_bodies), [{"identity": each.identity, "body": each.body} for each in new])
    kept = [
        offer.submission
        for offer, outcome in zip(delivery.offers, outcomes, strict=True)
        if offer.submission is not None and outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)
    ]
    places = {row.entry: row.position for row in receive_in(connection, kept, received_ms)} if kept else {}
    owners = {(entry.trace_digest, entry.contributor): place for entry, place in places.items()}
    return [_verdict(offer, outcome, owners) for offer, outcome in zip(delivery.offers, outcomes, strict=True)]


def _outcome(offer: Offer, standing: str | None) -> Outcome:
    if offer.refused is not None:
        return Outcome.REFUSED
    if standing is None:
        return Outcome.ACCEPTED
    return Outcome.DUPLICATE if standing == offer.digest else Outcome.CONFLICT


def _verdict(offer: Offer, outcome: Outcome, places: Mapping[tuple[str, str], int]) -> Verdict:
    if outcome in (Outcome.REFUSED, Outcome.CONFLICT):
        return Verdict(offer.identity, outcome, offer.refused or _TAKEN_BEFORE)
    said = offer.submission
    place = None if said is None else places[said.trace_digest, said.contributor]
    return Verdict(offer.identity, outcome, place=place)


def _digests(connection: Connection, identities: Collection[str]) -> dict[str, str]:
    wanted, found = sorted(identities), {}
    for start in range(0, len(wanted), _CHUNK):
        of_chunk = select(spool_traces.c.identity, spool_traces.c.digest).where(
            spool_traces.c.identity.in_(wanted[start : start + _CHUNK])
        )
        found.update({row.identity: row.digest for row in connection.execute(of_chunk)})
    return found


def _rows(
    connection: Connection, delivery: Delivery, new: Sequence[Offer], received_ms: int
) -> Iterator[dict[str, Any]]:
    free = _last(connection, spool_traces, delivery.program) + 1
    for position, offer in enumerate(new, free):
        yield {
            "program": delivery.program,
            "position": position,
            "identity": offer.identity,
            "digest": offer.digest,
            "submitter": delivery.submitter,
            "received_ms": received_ms,
        }


def _last(connection: Connection, table: Table, program: str) -> int:
    """The last position of a program in a table; -1 before the first."""
    column = table.c.upto if table is spool_drains else table.c.position
    last = connection.scalar(select(column).where(table.c.program == program).order_by(column.desc()).limit(1))
    return -1 if last is None else int(last)


def _aside(program: str, *columns: Any) -> Select[Any]:
    """Some columns of a program's traces that are put aside still, and whose text is there."""
    traces, refused, replayed = spool_traces.c, spool_refused.c, spool_replayed.c
    joined = spool_refused.join(
        _WITH_BODIES, (traces.program == refused.program) & (traces.position == refused.position)
    ).join(
        spool_replayed, (replayed.program == refused.program) & (replayed.position == refused.position), isouter=True
    )
    aside = select(*columns).select_from(joined).where(refused.program == program, replayed.position.is_(None))
    return aside.order_by(refused.position)


def _trace(row: Row[Any]) -> SpooledTrace:
    return SpooledTrace(row.position, row.identity, row.submitter, row.received_ms, row.body)
