"""Whether what a day is made of is all there: retention and erasures say so here before they remove anything.

A day that was made again from less than it was made from would be another day:
another candidate, and another look at the same holdout. Loading traces again does
not undo it, for what people said about them may have changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from telefine_assets.errors import TelefineError
from telefine_assets.store.records import RecordStore

STAGE = "retention"
"""Its record of a day says that retention removed something of days before that day."""
ERASURE = "erasure"
"""Its record of a day names days whose traces lost words after that day, the last one that was compiled, was made."""


class RemovedError(TelefineError):
    """Retention or an erasure removed what a day was made of."""


def keep_from(records: RecordStore, program: str, first: str) -> None:
    """Write down that something of ``program`` goes that is of days before ``first`` (YYYY-MM-DD)."""
    records.write(program, STAGE, first, {"removed_before": first})


def kept_from(records: RecordStore, program: str) -> str:
    """The first day of which nothing was removed; "", which is before every day, where retention removed nothing."""
    return max(records.days(program, STAGE), default="")


def erase_from(records: RecordStore, program: str, days: Sequence[str], last_made: str) -> None:
    """Write down that words go out of traces of ``days``; days after ``last_made`` are made without them."""
    before = records.find(program, ERASURE, last_made) or {"days": []}
    records.write(program, ERASURE, last_made, {"days": sorted({*before["days"], *days})})


def require_kept(records: RecordStore, program: str, window: Sequence[str]) -> None:
    """Refuse a day that can no longer be made from what it was made from.

    Args:
        records: where retention wrote down what it removed.
        program: the program.
        window: the days that are looked back at, oldest first; the last is the day itself.

    Raises:
        RemovedError: retention or an erasure removed something of the window.
    """
    first = kept_from(records, program)
    if window[0] < first:
        raise RemovedError(
            f"{program}: {window[-1]} looks back to {window[0]}, and retention removed what is before {first}: made "
            "again from less, it would be another compile and another look. Choose a day that looks back no further "
            "than that, or restore a backup from before (telefine restore)"
        )
    for last_made in records.days(program, ERASURE):
        lost = {*window} & {*records.read(program, ERASURE, last_made)["days"]}
        if lost and window[-1] <= last_made:
            raise RemovedError(
                f"{program}: {window[-1]} was made from traces of {min(lost)} whose words were erased since: made "
                f"again without them, it would be another compile and another look. Choose a day after {last_made}"
            )
