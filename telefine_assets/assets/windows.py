"""The cleaned traces that a day looks back at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telefine_assets.assets.line import Line
    from telefine_assets.resources.storage import LedgerResource, StoreResource
    from telefine_assets.traces.records import Window


def cleaned_window(line: Line, store: StoreResource, ledger: LedgerResource, day: str) -> Window:
    """The cleaned traces of a day's window.

    Raises:
        MissingPartition: the day itself was not cleaned.
        RemovedError: retention removed something of the window, and the day did not reach DeltaOne. What was decided
            about one that did stands, and its traces are held until it is attested.
    """
    from telefine_assets.ledger.looks import Looks
    from telefine_assets.store.kept import require_kept
    from telefine_assets.traces.records import table_to_window

    days = line.window(day)
    if Looks(ledger.open()).closed(line.name, day) is None:
        require_kept(store.records, line.name, days)
    return table_to_window(store.tables.read_window(line.name, "cleaned_traces", days))
