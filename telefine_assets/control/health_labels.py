"""A check of where labels come from: the names in the settings are those under which something was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from telefine_assets.control.health import Check, Doubtful
from telefine_assets.traces.days import TRACES

if TYPE_CHECKING:
    from telefine_assets.settings.schema import ProgramSettings, Settings
    from telefine_assets.store.tables import TableStore


def labels(settings: Settings) -> str:
    """Expectations are configured for all outputs or none, and the last loaded days have the configured names."""
    from telefine_assets.store.files import Files
    from telefine_assets.store.tables import TableStore

    tables = TableStore(Files(settings.store.uri))
    named = settings.programs.items()
    said = [f"{name}: {each}" for name, program in named for each in _doubts(tables, name, program)]
    if said:
        raise Doubtful(
            "; ".join(said),
            "give programs.*.cleaning the names that your code logs, and an expectation for every output; "
            "`telefine traces inspect DAY` shows what was said",
        )
    return "the names in cleaning are those that traces have, as far as they were loaded"


def _doubts(tables: TableStore, name: str, program: ProgramSettings) -> Iterator[str]:
    from telefine_assets.traces.cleaning.candidate import assessed
    from telefine_assets.traces.cleaning.missing import NamesSaid

    yield from _half_labelled(name, program)
    for day in tables.days(name, TRACES)[-1:]:
        names = NamesSaid()
        for batch in tables.batches(name, TRACES, day, ("assessments",)):
            for text in batch["assessments"].to_pylist():
                names.add(assessed(text))
        yield from names.absent(day, program.cleaning)


def _half_labelled(name: str, program: ProgramSettings) -> Iterator[str]:
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.cleaning.missing import uncovered

    try:
        fields = load_spec(name, program).fields
    except Exception:  # noqa: BLE001 (whatever it is, the check of the programs says it)
        return
    if bare := uncovered(fields, program.cleaning):
        yield f"cleaning.expectations names none for {', '.join(bare)}, and so the others label no trace"


LABELS = Check("labels", labels, "look at store.uri and programs.*.cleaning", seconds=120)
