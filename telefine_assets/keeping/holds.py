"""What holds a day: something that was proved, promoted or paid on it, and that must be provable for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from telefine_assets.keeping.places import RECORDS
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import champions, look_outcomes, looks
from telefine_assets.ledger.texts import texts
from telefine_assets.store.files import Files
from telefine_assets.store.garbage import DIGITS
from telefine_assets.store.records import RecordStore

ATTESTATIONS, PAYOUTS = "attestations", "contributor_payouts"
"""Stages whose records hold their day."""
COMPILED = "compiled_programs"
Day = tuple[str, str]
"""A program and its day, YYYY-MM-DD."""
_DEPTH = 4


def records_of(files: Files, *stages: str) -> Iterator[tuple[str, Day]]:
    """Names of all records of some stages, of programs that are no longer set up too, each with its day."""
    for name in files.sizes(RECORDS):
        parts = name.split("/")
        if len(parts) == _DEPTH and parts[2] in stages:
            yield name, (parts[1], parts[3].removesuffix(".json"))


def read_records(files: Files, stage: str) -> Iterator[tuple[Day, dict[str, Any]]]:
    """All records of a stage."""
    records = RecordStore(files)
    for _, day in records_of(files, stage):
        yield day, records.read(day[0], stage, day[1])


def held_days(ledger: Ledger, files: Files) -> dict[Day, list[str]]:
    """The days that something holds, and what."""
    held: dict[Day, list[str]] = defaultdict(list)
    for day, record in read_records(files, ATTESTATIONS):
        if record["uid"] is not None:
            held[day].append(f"attestation {record['uid']}")
    for day, record in read_records(files, PAYOUTS):
        if record["attestation"] is not None:
            # Nobody here knows what was claimed on a chain: every payout may be claimed still.
            held[day].append(f"payout of {record['attestation']}")
    with ledger.reading() as connection:
        served = select(champions.c.program, champions.c.day, champions.c.version)
        for program, of, version in connection.execute(served):
            held[program, of].append(f"champion {version}")
    for each in reached_days(ledger):
        held[each].append("it reached DeltaOne")
    return dict(held)


def reached_days(ledger: Ledger) -> list[Day]:
    """The days whose look reached DeltaOne."""
    query = (
        select(looks.c.program, looks.c.day)
        .join(look_outcomes, look_outcomes.c.look_key == looks.c.look_key)
        .where(look_outcomes.c.reached == 1)
    )
    with ledger.reading() as connection:
        return [(program, day) for program, day in connection.execute(query)]


def needed_texts(ledger: Ledger, files: Files) -> Iterator[str]:
    """Texts that name what no rule lets go.

    Whatever the ledger names: the items of a look, whatever came of it, retire with
    its epoch, and every later look reads them; so does the record that it ended
    with. And every version that was compiled, compared with, or taught another.
    """
    yield from texts(ledger, DIGITS)
    for _, record in read_records(files, COMPILED):
        versions = (record["baseline"], record["candidate"], (record.get("teacher") or {}).get("version"))
        yield from (each for each in versions if each is not None)
