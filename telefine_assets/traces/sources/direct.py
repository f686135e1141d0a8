"""Traces straight from MLflow's database: keyset pages, each of one moment, read ahead of what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from telefine_assets.partitions import day_of
from telefine_assets.traces.sources.assembling import Assembler
from telefine_assets.traces.sources.counting import DAY_MS, can_be_grouped, counted, grouped_sql
from telefine_assets.traces.sources.databases import Connection, Database
from telefine_assets.traces.sources.pages import RawPage, empty
from telefine_assets.traces.sources.prefetching import prefetched
from telefine_assets.traces.sources.protocol import MOST_NAMED, SESSION, TOKEN_USAGE, TraceQuery, unknown_experiment

if TYPE_CHECKING:
    import pyarrow as pa

_PAGE = 5_000
# A preview that was not cut off is the whole value: the trace is small. Of the
# others nothing is known, so a page has few of them.
_WHOLE_PREVIEW = 1_000
_LARGE_AT_FIRST, _LARGE_AT_MOST = 8, 2_048
# Taking JSON apart needs a dozen times its size.
_MANY_BYTES = 8 * 2**20
_IDS_AT_ONCE = 200

# Ids are ordered by their bytes, as Arrow orders them: <bytes> is what the database calls that.
_KEY = "(i.timestamp_ms, i.request_id <bytes>)"
# A CROSS JOIN, since SQLite then keeps to the order in which the tables stand.
_OF_PAGE = (
    "FROM trace_info i CROSS JOIN {table} c WHERE c.{id} = i.request_id AND i.experiment_id = ? "
    f"AND i.timestamp_ms >= ? AND i.timestamp_ms <= ? AND {_KEY} > (?, ?) AND {_KEY} <= (?, ?)"
)
_INFO = (
    "SELECT i.request_id, i.timestamp_ms, i.execution_time_ms, i.status, "  # noqa: S608 (constant text)
    "coalesce(length(i.request_preview), 0) AS asked, coalesce(length(i.response_preview), 0) AS said, "
    "i.session_id, i.total_tokens "
    f"FROM trace_info i WHERE i.experiment_id = ? AND i.timestamp_ms >= ? AND i.timestamp_ms < ? AND {_KEY} > (?, ?) "
    "ORDER BY i.timestamp_ms, i.request_id <bytes> LIMIT ?"
)
_ASSESSMENTS = (
    "SELECT c.trace_id, c.assessment_id, c.name, c.assessment_type, c.value, c.error, c.source_type, c.source_id, "
    f"c.created_timestamp, c.valid, c.rationale {_OF_PAGE.format(table='assessments', id='trace_id')}"
)
_TAGS = f"SELECT c.request_id, c.key, c.value {_OF_PAGE.format(table='trace_tags', id='request_id')}"
_METADATA = f"SELECT c.request_id, c.key, c.value {_OF_PAGE.format(table='trace_request_metadata', id='request_id')}"
_SPAN = "SELECT c.trace_id, c.span_id, c.parent_span_id, c.start_time_unix_nano, c.content"
_SPANS_HERE = (
    "SELECT request_id FROM trace_tags WHERE key = 'mlflow.trace.spansLocation' AND value = 'TRACKING_STORE' "
    "AND request_id IN"
)
_ROOTS = f"{_SPAN} {_OF_PAGE.format(table='spans', id='trace_id')} AND c.parent_span_id IS NULL"


class DirectSource:
    """Reads MLflow's SQLite or PostgreSQL tables themselves."""

    def __init__(self, database: Database, archive: Callable[[Sequence[str]], pa.Table], described: str = "") -> None:
        """Read ``database``; ``archive`` fetches spans (raw ``spans`` table) that MLflow has moved out of it."""
        self._database = database
        self._archive = archive
        self.described = described or f"directly from MLflow's {database.kind} database"

    def read(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        with closing(Assembler(query)) as assembler, self._database.connected() as inner:
            for page in prefetched(self._pages(query, spans=query.spans == "none")):
                lacking = assembler.lacking(page)
                if lacking:
                    page = page.with_spans(self._all_spans(inner, lacking))
                yield assembler.assemble(page)

    def fingerprints(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        with closing(Assembler(query)) as assembler:
            for page in prefetched(self._pages(query, spans=False)):
                yield assembler.fingerprints(page)

    def counts(self, query: TraceQuery) -> dict[str, int]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`; one grouped query."""
        if not can_be_grouped(query.filters):
            return counted(self.fingerprints(query))
        with self._database.connected() as connection:
            sql, values = grouped_sql(query, _experiment(connection, query.experiment))
            rows = connection.rows(sql, values).to_pydict()
        days = sorted(zip(rows["day"], rows["traces"], strict=True))
        return {day_of(day * DAY_MS): traces for day, traces in days}

    def _pages(self, query: TraceQuery, spans: bool) -> Iterator[RawPage]:
        """Pages by keyset on (start, id): what others insert meanwhile shifts nothing."""
        with self._database.connected() as connection:
            experiment = _experiment(connection, query.experiment)
            after, large = (query.start_ms - 1, ""), _LARGE_AT_FIRST
            while True:
                page = _page(connection, query, experiment, after, large if spans else _PAGE, spans)
                connection.release()
                if page is None:
                    return
                after = page.last
                large = _next(large, page.spans.nbytes)
                yield page

    def _all_spans(self, connection: Connection, trace_ids: Sequence[str]) -> pa.Table:
        """All spans of some traces; what MLflow has archived is asked of MLflow."""
        import pyarrow as pa
        import pyarrow.compute as pc

        tables = []
        for first in range(0, len(trace_ids), _IDS_AT_ONCE):
            ids = trace_ids[first : first + _IDS_AT_ONCE]
            places = ", ".join("?" * len(ids))
            tables.append(connection.table("spans", f"{_SPAN} FROM spans c WHERE c.trace_id IN ({places})", ids))
        found = pa.concat_tables(tables)
        emptied = found.filter(pc.equal(found["content"], ""))["trace_id"].unique().to_pylist()
        moved = emptied + _elsewhere(connection, sorted(set(trace_ids) - set(found["trace_id"].unique().to_pylist())))
        connection.release()
        if not moved:
            return found
        kept = found.filter(pc.invert(pc.is_in(found["trace_id"], value_set=pa.array(moved))))
        return pa.concat_tables([kept, self._archive(moved)])


def _elsewhere(connection: Connection, trace_ids: Sequence[str]) -> list[str]:
    """Those of some traces without a span in the database whose spans MLflow keeps somewhere else."""
    here: set[str] = set()
    for first in range(0, len(trace_ids), _IDS_AT_ONCE):
        ids = trace_ids[first : first + _IDS_AT_ONCE]
        here.update(connection.column(f"{_SPANS_HERE} ({', '.join('?' * len(ids))})", ids))
    return [trace_id for trace_id in trace_ids if trace_id not in here]


def _experiment(connection: Connection, name: str) -> int:
    found = connection.column("SELECT experiment_id FROM experiments WHERE name = ?", [name])
    connection.release()
    if not found:
        there = connection.column("SELECT name FROM experiments ORDER BY name LIMIT ?", [MOST_NAMED])
        connection.release()
        raise unknown_experiment(name, connection.where, there)
    return int(found[0])


def _page(
    connection: Connection, query: TraceQuery, experiment: int, after: tuple[int, str], large: int, spans: bool
) -> RawPage | None:
    """The next page after ``after``, of one moment; None when there is none."""
    import pyarrow as pa

    bounds = [experiment, max(after[0], query.start_ms), query.end_ms, *after, _PAGE]
    info = _cut(connection.rows(_INFO, bounds), large)
    if info.num_rows == 0:
        return None
    last = info["timestamp_ms"][-1].as_py(), info["request_id"][-1].as_py()
    of_page = [experiment, max(after[0], query.start_ms), last[0], *after, *last]
    keys = query.metadata_keys
    places = ", ".join("?" * len(keys))
    return RawPage(
        info=connection.shaped("info", info.select([0, 1, 2, 3])),
        tags=connection.table(
            "tags", f"{_TAGS} AND (c.key NOT LIKE 'mlflow.%' OR c.key = ?)", [*of_page, query.version_key]
        ),
        metadata=pa.concat_tables(
            [connection.table("metadata", f"{_METADATA} AND c.key IN ({places})", [*of_page, *keys]), *_promoted(info)]
        ),
        assessments=connection.table("assessments", _ASSESSMENTS, of_page),
        spans=connection.table("spans", _ROOTS, of_page) if spans else empty("spans"),
    )


def _promoted(info: pa.Table) -> Iterator[pa.Table]:
    """Metadata for which MLflow has columns of their own, as the metadata that MLflow's client makes of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    session, tokens = info["session_id"].cast(pa.string()), info["total_tokens"].cast(pa.string())
    usage = pc.binary_join_element_wise('{"total_tokens": ', tokens, "}", "")
    for key, values in ((SESSION, session), (TOKEN_USAGE, usage)):
        columns = [info["request_id"], pa.repeat(key, info.num_rows), values]
        yield Connection.shaped("metadata", pa.table(columns, ["trace_id", "key", "value"])).filter(pc.is_valid(values))


def _cut(info: pa.Table, large: int) -> pa.Table:
    """The first rows, up to ``large`` that may be of any size."""
    import pyarrow.compute as pc

    if info.num_rows == 0:  # an empty column crashes indices_nonzero (pyarrow 25)
        return info
    unknown = pc.indices_nonzero(pc.or_(*(pc.invert(_whole(info[name])) for name in ("asked", "said"))))
    return info if len(unknown) <= large else info.slice(0, max(1, unknown[large].as_py()))


def _next(large: int, read: int) -> int:
    """How many large traces the next page may have, after one of ``read`` bytes."""
    if read > _MANY_BYTES:
        return max(1, large // 2)
    return min(_LARGE_AT_MOST, large * 2) if read < _MANY_BYTES // 2 else large


def _whole(lengths: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which previews are known to be all that there is, by their lengths."""
    import pyarrow.compute as pc

    return pc.and_(pc.greater(lengths, 0), pc.less(lengths, _WHOLE_PREVIEW))
