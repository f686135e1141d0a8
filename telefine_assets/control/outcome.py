"""What came of a day, in one line: from what its stages stored, and no more than the public report tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from telefine_assets.pages.numbers import count, gain

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore

TRACES, CLEANED, COMPILED, REPORTS, ATTESTED, PAID = (
    "traces",
    "cleaned_traces",
    "compiled_programs",
    "deltaone_reports",
    "attestations",
    "contributor_payouts",
)
_RECORDED = (CLEANED, COMPILED, REPORTS, ATTESTED, PAID)
EVERYTHING = (TRACES, *_RECORDED)
"""The stages that tell of a day."""
_IN_FORCE, _PLANNED, _CANDIDATE, _NONE = "attested", "planned", "candidate", "no_candidate"


@dataclass(frozen=True)
class DayOutcome:
    """What came of a day. What no stage said is None.

    Attributes:
        day: the partition.
        traces: how many were loaded.
        kept: how many of them may be learnt from.
        compiled: outcome of the compile: ``candidate``, ``baseline_kept``, ``too_few_items``.
        code: DeltaOne's: ``reached``, or why not.
        delta_ppm: the gain, in parts per million; None until DeltaOne is reached.
        attestation: its uid; None where there is none.
        attested: outcome of the attestation: ``attested``, ``awaiting_signatures``, ``not_reached``, ``revoked``.
        payout: ``planned`` or ``nothing_to_pay``.
        sentence: all of it in words.
    """

    day: str
    traces: int | None
    kept: int | None
    compiled: str | None
    code: str | None
    delta_ppm: int | None
    attestation: str | None
    attested: str | None
    payout: str | None
    sentence: str

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def outcome_of(day: str, rows: int | None, records: Mapping[str, Mapping[str, Any]]) -> DayOutcome:
    """What came of a day.

    Args:
        day: the partition.
        rows: traces that were loaded; None where that is not to be told.
        records: by stage, what it stored of the day; stages that are not to be told of are left out.
    """
    cleaned, report, attested = (records.get(each) for each in (CLEANED, REPORTS, ATTESTED))
    return DayOutcome(
        day=day,
        traces=cleaned["traces_in"] if rows is None and cleaned else rows,
        kept=cleaned["kept"] if cleaned else None,
        compiled=records[COMPILED]["outcome"] if COMPILED in records else None,
        code=report["code"] if report else None,
        delta_ppm=report["public"]["delta_ppm"] if report and report["reached"] else None,
        attestation=attested["uid"] if attested else None,
        attested=attested["outcome"] if attested else None,
        payout=records[PAID]["outcome"] if PAID in records else None,
        sentence="; ".join(_parts(rows, records)),
    )


def _parts(rows: int | None, records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    cleaned = records.get(CLEANED)
    if rows is not None or cleaned:
        loaded = cleaned["traces_in"] if rows is None and cleaned else rows or 0
        yield count(loaded, "trace") + (f", {cleaned['kept']:,} kept" if cleaned and loaded else "")
    if REPORTS in records:
        yield _compared(records[REPORTS])
    elif COMPILED in records:
        compiled = records[COMPILED]
        yield f"{'a' if compiled['outcome'] == _CANDIDATE else 'no'} candidate: {compiled['reason']}"
    yield from _signed(records)


def _compared(report: Mapping[str, Any]) -> str:
    """The comparison, as the public report has it: of a look that failed, its code and the first sentence."""
    if report["reached"]:
        return f"DeltaOne {gain(report['public']['delta_ppm'])}"
    said = str(report["sentence"])
    if report["code"] == _NONE:
        return f"no candidate: {said.removeprefix('No candidate to compare: ').removesuffix('.')}"
    return f"{report['code']}: {said.partition('. ')[0].removesuffix('.')}"


def _signed(records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What was attested, and what is paid by it."""
    attested, paid = records.get(ATTESTED), records.get(PAID)
    if attested:
        yield "nothing attested" if attested["uid"] is None else _attestation(attested)
    if paid and paid["outcome"] == _PLANNED:
        yield "payout planned"
    elif paid and (attested is None or attested["uid"] is not None):
        yield str(paid["reason"])


def _attestation(attested: Mapping[str, Any]) -> str:
    if attested["outcome"] == _IN_FORCE:
        return f"attested {attested['uid']}"
    return f"attestation {attested['uid']}: {attested['outcome'].replace('_', ' ')}"


def read_outcome(settings: Settings, program: str, day: str, stages: Sequence[str]) -> DayOutcome:
    """What came of a day, as far as ``stages`` tell of it.

    Raises:
        BrokenRecord: a record is not what its stage writes.
    """
    tables, records = _opened(settings)
    told = [each for each in _RECORDED if each in stages]
    found = {each: records.find(program, each, day) for each in told}
    rows = tables.rows(program, TRACES, day) if TRACES in stages and tables.exists(program, TRACES, day) else None
    return outcome_of(day, rows, {stage: each for stage, each in found.items() if each})


def latest_day(settings: Settings, program: str) -> str | None:
    """The newest day of which anything is stored; None for none."""
    tables, records = _opened(settings)
    days = [*tables.days(program, TRACES), *(day for each in _RECORDED for day in records.days(program, each))]
    return max(days, default=None)


def _opened(settings: Settings) -> tuple[TableStore, RecordStore]:
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore

    files = Files(settings.store.uri)
    return TableStore(files), RecordStore(files)
