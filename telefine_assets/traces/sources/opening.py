"""Which source reads a program's traces: as the settings say, or the fastest that is known to be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from telefine_assets.traces.sources.databases import Database, database_of
from telefine_assets.traces.sources.protocol import (
    Filters,
    OutcomeRange,
    TraceQuery,
    TraceSource,
    TraceSourceError,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from telefine_assets.settings.schema import ProgramSettings

Choice = Literal["auto", "direct", "api"]


def query_of(settings: ProgramSettings, input_fields: Sequence[str], start_ms: int, end_ms: int) -> TraceQuery:
    """What is asked for one program and a span of time."""
    wanted = settings.traces
    outcome = wanted.filters.outcome
    return TraceQuery(
        experiment=settings.experiment,
        start_ms=start_ms,
        end_ms=end_ms,
        input_fields=tuple(input_fields),
        filters=Filters(
            statuses=wanted.filters.statuses,
            tags=wanted.filters.tags,
            versions=wanted.filters.versions,
            outcome=None if outcome is None else OutcomeRange(outcome.feedback, outcome.at_least, outcome.at_most),
        ),
        version_key=wanted.version_key,
        from_runs=wanted.from_runs,
        spans=wanted.spans,
    )


def open_source(choice: Choice, tracking_uri: str, files: str | None = None) -> TraceSource:
    """The source that ``choice`` names; ``files`` outweighs it.

    ``auto`` reads MLflow's database directly where it can be reached and its
    schema is known, otherwise through MLflow's API; ``described`` says which
    and why.

    Raises:
        TraceSourceError: ``direct`` is asked for and impossible, or there is no such file.
    """
    if files is not None:
        from telefine_assets.traces.sources.files import FileSource

        return FileSource(files)
    database = database_of(tracking_uri)
    if database is not None:
        # Here, before anything that is logged to MLflow makes the file, and finds no traces in it.
        database.require()
    if choice == "api":
        return _api(tracking_uri, "through MLflow's API, as the settings say")
    if database is None:
        if choice == "direct":
            raise TraceSourceError(
                "mlflow.trace_source is direct, but mlflow.tracking_uri is no SQLite or PostgreSQL database; "
                "set it to auto or api"
            )
        return _api(tracking_uri, "through MLflow's API: the tracking URI is no database")
    try:
        return _direct(database, tracking_uri)
    except TraceSourceError as error:
        if choice == "direct":
            raise
        return _api(tracking_uri, f"through MLflow's API: {error}")


def _api(tracking_uri: str, described: str) -> TraceSource:
    from telefine_assets.traces.sources.api import ApiSource

    return ApiSource(tracking_uri, described)


def _direct(database: Database, tracking_uri: str) -> TraceSource:
    from telefine_assets.traces.sources.direct import DirectSource

    with database.connected():
        pass  # reached, and of a known schema

    def archive(trace_ids: Sequence[str]) -> pa.Table:
        from telefine_assets.traces.sources.api import spans_by_client

        return spans_by_client(tracking_uri)(trace_ids)

    return DirectSource(database, archive)
