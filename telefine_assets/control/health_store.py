"""Checks of what is kept: the newest records can be read, and the ledger that belongs to them is whole."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telefine_assets.control.health import Broken, Check, Doubtful
from telefine_assets.control.reading import ALL
from telefine_assets.store.records import BrokenRecord, RecordStore

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

_SAYS = {
    "cleaned_traces": ("dropped",),
    "compiled_programs": ("baseline", "candidate"),
    "deltaone_reports": ("reached", "code"),
    "attestations": ("outcome", "uid"),
    "champions": ("outcome",),
    "contributor_weights": ("weights",),
    "contributor_payouts": ("outcome", "attestation"),
}
"""What every record of a stage says, whatever came of its day."""
_NAMED = 3
_PAGES_SECONDS = 10.0
_STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock."""


def records(settings: Settings) -> str:
    """The newest of every program and stage is one; the ledger is that which knows what they attest."""
    from telefine_assets.store.files import Files

    store, read = RecordStore(Files(settings.store.uri)), 0
    for program in settings.programs:
        for stage in ALL:
            for day in store.days(program, stage)[-1:]:
                _require(store, (program, stage, day))
                read += 1
    _require_ledger(settings, store)
    return f"the newest {read} can be read" if read else "no stage was run yet"


def _require(store: RecordStore, what: tuple[str, str, str]) -> None:
    try:
        record = store.read(*what)
        for key in _SAYS.get(what[1], ()):
            record[key]
    except BrokenRecord as broken:
        raise Broken(broken.said, broken.cure) from None


def _require_ledger(settings: Settings, store: RecordStore) -> None:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.log import LogLeaves

    with closing(Ledger(settings.ledger.url)) as opened:
        if LogLeaves(opened).size():
            return
    for program in settings.programs:
        for day in reversed(store.days(program, "attestations")):
            if store.read(program, "attestations", day)["uid"] is not None:
                raise Broken(
                    f"{program} has an attestation of {day}, and the log in the ledger is empty",
                    "set ledger.url to the ledger that it was written into, or restore it (`telefine restore`)",
                )


def require_whole(file: Path) -> str:
    """Look through the pages of an SQLite file for as long as somebody waits; returns how far that came.

    Raises:
        Broken: pages are damaged.
    """
    end = time.monotonic() + _PAGES_SECONDS
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            said = str(error)
    if said == "interrupted":
        return f"whole as far as {_PAGES_SECONDS:g} seconds show"
    if said != "ok":
        raise Broken(
            f"{file} is damaged: {' '.join(said.split())}",
            "copy it aside, and restore the ledger from a backup (`telefine restore`)",
        )
    return "whole"


def unfinished(settings: Settings) -> str:
    """No killed writer left anything behind in the store."""
    from telefine_assets.store.files import Files

    found = Files(settings.store.uri).abandoned(datetime.now(UTC))
    if found:
        named = ", ".join([*found][:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
        raise Doubtful(
            f"left half written by processes that ended, {sum(found.values())} bytes: {named}",
            "the next `telefine backup` or `telefine retention apply` removes them; nothing reads them",
        )
    return "none"


UNFINISHED = Check("half-written files", unfinished, "look at store.uri", seconds=300)
RECORDS = Check("records", records, "look at store.uri and ledger.url")
