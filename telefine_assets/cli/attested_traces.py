"""The traces that an attestation names, as they are stored now: looked for in every stored day, by their ids.

The settings of today do not say which days were looked back at when the day was
attested. A trace that is not found was withdrawn, and an item without feedback
counts less for ever: so whatever else may have happened to it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from telefine_assets.store.kept import RemovedError

if TYPE_CHECKING:
    from telefine_assets.attestation.reissuing import Named
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.records import CleanedTrace


def stored_traces(tables: TableStore, records: RecordStore, program: str, day: str, named: Named) -> list[CleanedTrace]:
    """The cleaned traces of an attested day that its attestation names.

    Raises:
        CannotCorrect: settings moved one of them between the sides.
        MissingPartition: a day has such a trace, and was loaded and not cleaned.
        RemovedError: what retention or an erasure removed would look withdrawn.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from telefine_assets.traces.days import CLEANED
    from telefine_assets.traces.records import ERASED, cleaned_schema, table_to_window

    wanted = pa.array(sorted(named.all), pa.string())
    days = _days_with(tables, program, CLEANED, day, named.all)
    read = (tables.read(program, CLEANED, each) for each, _ in days)
    rows = [each.filter(pc.is_in(each["trace_id"], wanted)) for each in read]
    found = pa.concat_tables([cleaned_schema().empty_table(), *rows])
    erased = found.filter(pc.equal(found["label_source"], ERASED))
    _require_not_erased(program, named.needed & {*erased["trace_id"].to_pylist()})
    _require_accounted(tables, records, program, day, named.needed - {*found["trace_id"].to_pylist()})
    return table_to_window(found).traces


def _days_with(
    tables: TableStore, program: str, table: str, day: str, ids: Collection[str]
) -> Iterator[tuple[str, set[str]]]:
    """The stored days of a table up to ``day`` that have some of the traces, and which."""
    for each in tables.days(program, table):
        if each <= day and (
            found := {*tables.columns(program, table, each, ["trace_id"])["trace_id"].to_pylist()} & {*ids}
        ):
            yield each, found


def _require_not_erased(program: str, erased: Collection[str]) -> None:
    if erased:
        raise RemovedError(
            f"{program}: the words of {len(erased)} attested traces were erased since ({min(erased)}): what is gone "
            "cannot be scored again"
        )


def _require_accounted(
    tables: TableStore, records: RecordStore, program: str, day: str, missing: Collection[str]
) -> None:
    """What does not pass cleaning any more is among the loaded traces; what is nowhere was on no day that is gone."""
    from telefine_assets.traces.days import CLEANED, TRACES

    loaded: set[str] = set()
    for each, found in _days_with(tables, program, TRACES, day, missing):
        tables.schema(program, CLEANED, each)
        _require_not_moved(tables, program, each, found)
        loaded |= found
    nowhere = {*missing} - loaded
    # The record of a day that was cleaned stays when its tables go.
    gone = {each for each in records.days(program, CLEANED) if each <= day} - {*tables.days(program, CLEANED)}
    if nowhere and gone:
        raise RemovedError(
            f"{program}: {len(nowhere)} attested traces are in no stored day ({min(nowhere)}), and the cleaned traces "
            f"of {len(gone)} days up to {max(gone)} are gone, by retention or by hand: whether feedback was withdrawn "
            "cannot be told. Restore a backup from before (telefine restore), then run this again"
        )


def _require_not_moved(tables: TableStore, program: str, day: str, ids: Collection[str]) -> None:
    """What stood on one side stands there for ever, unless somebody moved the sides: that is no withdrawn feedback."""
    from telefine_assets.deltaone.correcting import CannotCorrect
    from telefine_assets.traces.days import DROPPED

    rules = {row["trace_id"]: row["rule"] for row in tables.read(program, DROPPED, day).to_pylist()}
    if moved := sorted(each for each in ids if rules.get(each) == "straddles_splits"):
        raise CannotCorrect(
            f"{program}: {len(moved)} attested traces of {day} resemble inputs on another side now ({moved[0]}): split "
            "or cleaning.near_duplicates were changed, or the cluster index is another, and the day was cleaned since. "
            f"Set them back to those of the day that was attested, clean {day} again "
            f"(telefine run cleaned_traces --program {program} --day {day}), then run this again"
        )
