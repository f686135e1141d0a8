"""From raw rows to traces, a page at a time, in DuckDB: no Python object is made for a row.

The inputs and outputs of a trace are those of its *program span*: the topmost
span whose inputs cover the program's fields (a program may be wrapped in other
traced functions), else the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from telefine_assets.strangers_json import parse
from telefine_assets.traces.records import DIGESTED, FINGERPRINTED, json_text, trace_schema
from telefine_assets.traces.sources.pages import RawPage
from telefine_assets.traces.sources.protocol import PURPOSE, SESSION, SOURCE_RUN, TOKEN_USAGE, TraceQuery

if TYPE_CHECKING:
    import pyarrow as pa

# MLflow's own tags say how a trace is stored, not what it means.
_SYSTEM_TAGS = "mlflow.%"
# Memory that is free goes back at once; there is no limit, since one trace may be of any size.
_FRUGAL = {"allocator_flush_threshold": "1MB", "allocator_bulk_deallocation_flush_threshold": "1MB"}

_LEVELS = """
WITH RECURSIVE level AS (
    SELECT trace_id, span_id, 0 AS depth FROM raw_spans WHERE parent_id IS NULL
    UNION ALL
    SELECT s.trace_id, s.span_id, depth + 1 FROM raw_spans s JOIN level l ON s.trace_id = l.trace_id
    AND s.parent_id = l.span_id WHERE depth < 1000
), taken AS (
    SELECT s.*, coalesce(depth, 1000) AS depth
    FROM raw_spans s LEFT JOIN level l ON s.trace_id = l.trace_id AND s.span_id = l.span_id
)
"""
_ROOTS_ONLY = "WITH taken AS (SELECT *, 0 AS depth FROM raw_spans)"
ATTRIBUTES = frozenset({"mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.spanType", "signature"})
"""What is read of a span's attributes."""
_SPANS = """, apart AS (
    SELECT *, json_valid(content) AS readable, CASE WHEN readable THEN json_extract_string(content, [
        '$.attributes."mlflow.spanInputs"', '$.attributes."mlflow.spanOutputs"',
        '$.status.code', '$.status.message', '$.name', '$.attributes."mlflow.spanType"', '$.attributes.signature'
    ]) END AS parts FROM taken
)
SELECT trace_id, span_id, parent_id, start_ns, depth, readable,
    nullif(parts[1], 'null') AS inputs, nullif(parts[2], 'null') AS outputs,
    parts[3] AS code, parts[4] AS message, parts[5] AS name, parts[6] AS kind, parts[7] AS signature,
    CASE WHEN code = 'STATUS_CODE_ERROR' THEN json_extract(content, '$.events')::JSON[] END AS events,
    CASE WHEN json_valid(inputs) THEN json_keys(inputs) END AS keys,
    coalesce(list_has_all(keys, $fields), false) AS covers,
    coalesce(keys = ['args'] AND json_array_length(inputs, '$.args') = len($fields), false) AS by_place
FROM apart
"""
_PROGRAM_SPAN = """
SELECT trace_id, inputs, outputs, covers, by_place FROM span
QUALIFY row_number() OVER (PARTITION BY trace_id ORDER BY covers DESC, depth, start_ns, span_id) = 1
"""
_LACKING = f"""
SELECT i.trace_id FROM info i LEFT JOIN ({_PROGRAM_SPAN}) p USING (trace_id)
WHERE i.status <> 'OK' OR NOT coalesce(p.covers OR p.by_place, false)
ORDER BY i.trace_id
"""  # noqa: S608 (constant text)
# A call that went well may have had spans that did not: a tool that was tried again.
_ERROR = """
SELECT trace_id, arg_min(said, (depth, start_ns, span_id)) AS error FROM (
    SELECT s.*, CASE
        WHEN NOT readable THEN 'span ' || span_id || ' cannot be read: its content is not JSON'
        WHEN status = 'OK' THEN NULL
        WHEN code = 'STATUS_CODE_ERROR' AND message <> '' THEN message
        WHEN code = 'STATUS_CODE_ERROR' THEN list_first(list_transform(
            list_filter(events, lambda e: json_extract_string(e, '$.name') = 'exception'),
            lambda e: coalesce(json_extract_string(e, '$.attributes."exception.type"'), 'error') || ': '
                || coalesce(json_extract_string(e, '$.attributes."exception.message"'), '')))
        END AS said FROM span s JOIN info USING (trace_id)
) WHERE said IS NOT NULL GROUP BY trace_id
"""
_INNER = """
SELECT trace_id, '[' || string_agg(json_object(
    'inputs', inputs, 'name', name, 'outputs', outputs, 'parent_id', parent_id, 'signature', signature,
    'span_id', span_id, 'start_ns', start_ns, 'type', kind
)::VARCHAR, ',' ORDER BY start_ns, span_id) || ']' AS spans FROM span GROUP BY trace_id
"""
_TAGS = """
SELECT trace_id, '{' || string_agg(to_json(key)::VARCHAR || ':' || to_json(value)::VARCHAR, ',' ORDER BY key) || '}'
    AS tags FROM raw_tags WHERE key NOT LIKE $system GROUP BY trace_id
"""
_METADATA = """
SELECT trace_id, max(value) FILTER (key = $source_run) AS source_run, max(value) FILTER (key = $session) AS session,
    max(value) FILTER (key = $token_usage) AS usage, max(value) FILTER (key = $version_key) AS version
FROM (SELECT * FROM raw_metadata UNION ALL SELECT * FROM raw_tags WHERE key = $version_key) GROUP BY trace_id
"""
_ASSESSMENTS = """
SELECT trace_id, '[' || string_agg(json_object(
    'assessment_id', assessment_id, 'create_time_ms', create_time_ms,
    'error', CASE WHEN json_valid(error) THEN error->>'$.error_code' ELSE error END, 'kind', kind, 'name', name,
    'rationale', rationale, 'source_id', source_id, 'source_type', source_type, 'valid', valid,
    'value', CASE WHEN value[1] IN ('[', '{') THEN evened(value)
        ELSE regexp_replace(value, '^(-?[0-9]+)\\.0$', '\\1') END
)::VARCHAR, ',' ORDER BY create_time_ms, assessment_id) || ']' AS assessments
FROM raw_assessments GROUP BY trace_id
"""


def _digest_of(columns: Sequence[str]) -> str:
    """``records.row_digest`` of the columns, in SQL; ``concat`` passes over nulls."""
    netstrings = (
        f"strlen({name}::VARCHAR), CASE WHEN {name} IS NULL THEN '-' ELSE ':' END, {name}, "
        f"CASE WHEN {name} IS NOT NULL THEN ',' END"
        for name in columns
    )
    return f"sha256(concat({', '.join(netstrings)}))"


_ALL = f"""
SELECT i.*, m.session, m.version, m.source_run,
    TRY_CAST(CASE WHEN json_valid(usage) THEN usage->>'$.total_tokens' END AS BIGINT) AS tokens,
    coalesce(t.tags, '{{}}') AS tags, coalesce(a.assessments, '[]') AS assessments
FROM info i LEFT JOIN ({_METADATA}) m USING (trace_id) LEFT JOIN ({_TAGS}) t USING (trace_id)
LEFT JOIN ({_ASSESSMENTS}) a USING (trace_id)
"""  # noqa: S608 (constant text)


class Assembler:
    """Makes traces of raw pages, for one query."""

    def __init__(self, query: TraceQuery) -> None:
        """Prepare for the pages of ``query``."""
        self._query = query
        self._spans_of: RawPage | None = None

    @cached_property
    def _duckdb(self) -> Any:
        import duckdb

        connection = duckdb.connect(config={"threads": 1, **_FRUGAL})
        connection.create_function("as_json", _as_json, ["VARCHAR"], "VARCHAR")
        connection.create_function("evened", _evened, ["VARCHAR"], "VARCHAR")
        return connection

    def close(self) -> None:
        """Free the memory."""
        self._duckdb.close()

    def lacking(self, page: RawPage) -> list[str]:
        """Traces for which the spans in the page do not suffice: all of theirs are needed."""
        self._register(page)
        if self._query.spans == "all":
            return list(page.info["trace_id"].to_pylist())
        return [row[0] for row in self._duckdb.execute(_LACKING).fetchall()]

    def assemble(self, page: RawPage) -> pa.RecordBatch:
        """The page's production traces that pass the filters, in the columns of ``trace_schema``."""
        self._register(page)
        where, values = self._conditions()
        inner = f"LEFT JOIN ({_INNER}) n USING (trace_id)" if self._query.spans == "all" else ""
        columns = [name for name in trace_schema().names if name not in ("fingerprint", "digest")]
        found = self._table(
            f"""
            WITH a AS ({_ALL}), joined AS (
                SELECT a.*, {"n.spans" if inner else "NULL"} AS spans, e.error, {_readable("p.outputs")} AS outputs,
                CASE WHEN p.by_place THEN {self._named()} ELSE {_readable("p.inputs")} END AS inputs
                FROM a LEFT JOIN ({_PROGRAM_SPAN}) p USING (trace_id) LEFT JOIN ({_ERROR}) e USING (trace_id) {inner}
                WHERE {where}
            ), printed AS (SELECT *, {_digest_of(FINGERPRINTED)} AS fingerprint FROM joined)
            SELECT {", ".join(columns)}, fingerprint, {_digest_of(DIGESTED)} AS digest FROM printed
            """,  # noqa: S608 (constant text; values are bound)
            {**self._names(), **values},
        )
        return _one_batch(found.cast(trace_schema()))

    def fingerprints(self, page: RawPage) -> pa.RecordBatch:
        """``trace_id``, ``request_time_ms`` and ``fingerprint`` of the page's production traces that pass."""
        self._register(page, spans=False)
        where, values = self._conditions()
        found = self._table(
            f"WITH a AS ({_ALL}) SELECT trace_id, request_time_ms, {_digest_of(FINGERPRINTED)} AS fingerprint FROM a "  # noqa: S608
            f"WHERE {where}",
            {**self._names(), **values},
        )
        return _one_batch(found)

    def _register(self, page: RawPage, spans: bool = True) -> None:
        for name in ("info", "tags", "metadata", "assessments", "spans"):
            self._duckdb.register(name if name == "info" else f"raw_{name}", getattr(page, name))
        if spans and self._spans_of is not page:
            roots_only = page.spans["parent_id"].null_count == page.spans.num_rows
            sql = f"{_ROOTS_ONLY if roots_only else _LEVELS}{_SPANS}"
            values = {"fields": list(self._query.input_fields)}
            # Kept as Arrow: DuckDB would hold on to the memory of temporary tables that are gone.
            self._duckdb.register("span", self._duckdb.sql(sql, params=values).to_arrow_table())
            self._spans_of = page

    def _run(self, sql: str, values: dict[str, Any]) -> Any:
        """Execute with the values that the statement names; DuckDB refuses others."""
        return self._duckdb.execute(sql, _named_in(sql, values))

    def _table(self, sql: str, values: dict[str, Any]) -> pa.Table:
        """The rows of a query, ordered by start and id.

        Arrow sorts the keys alone, which is cheaper than DuckDB's sorting of whole rows.
        """
        found: pa.Table = self._duckdb.sql(sql, params=_named_in(sql, values)).to_arrow_table()
        return found.sort_by([("request_time_ms", "ascending"), ("trace_id", "ascending")])

    def _names(self) -> dict[str, Any]:
        return {
            "system": _SYSTEM_TAGS,
            "source_run": SOURCE_RUN,
            "session": SESSION,
            "token_usage": TOKEN_USAGE,
            "version_key": self._query.version_key,
        }

    def _conditions(self) -> tuple[str, dict[str, Any]]:
        """What a production trace of the query must be; values are bound, never written into the text."""
        query, filters = self._query, self._query.filters
        tags = "SELECT 1 FROM raw_tags r WHERE r.trace_id = a.trace_id AND r.key = "
        conditions = [
            "request_time_ms >= $start_ms AND request_time_ms < $end_ms",
            f"NOT EXISTS ({tags} $purpose)",
        ]
        values: dict[str, Any] = {"start_ms": query.start_ms, "end_ms": query.end_ms, "purpose": PURPOSE}
        if query.from_runs == "skip":
            conditions.append("source_run IS NULL")
        if filters.statuses:
            conditions.append("list_contains($statuses, status)")
            values["statuses"] = list(filters.statuses)
        if filters.versions:
            conditions.append("list_contains($versions, version)")
            values["versions"] = list(filters.versions)
        for number, (key, value) in enumerate(filters.tags.items()):
            conditions.append(f"EXISTS ({tags} $tag_{number}_key AND r.value = $tag_{number}_value)")
            values |= {f"tag_{number}_key": key, f"tag_{number}_value": value}
        if filters.outcome is not None:
            conditions.append(
                "EXISTS (SELECT 1 FROM raw_assessments r WHERE r.trace_id = a.trace_id AND r.kind = 'feedback' AND "
                "r.valid AND r.name = $feedback AND CASE r.value WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 "
                "ELSE TRY_CAST(r.value AS DOUBLE) END BETWEEN $at_least AND $at_most)"
            )
            low, high = filters.outcome.at_least, filters.outcome.at_most
            values["feedback"] = filters.outcome.feedback
            values["at_least"] = float("-inf") if low is None else low
            # Infinity is the upper end of what can be compared; NaN sorts above it and stays out.
            values["at_most"] = float("inf") if high is None else high
        return " AND ".join(conditions), values

    def _named(self) -> str:
        """Inputs that were given by place, under the names of the program's fields."""
        pairs = (
            f"{_quoted(name)}, json_extract(p.inputs, '$.args[{place}]')"
            for place, name in enumerate(self._query.input_fields)
        )
        return f"CAST(json_object({', '.join(pairs)}) AS VARCHAR)"


def _readable(column: str) -> str:
    """The column's JSON text; what is not JSON to DuckDB goes through Python, row by row."""
    return f"CASE WHEN {column} IS NULL OR json_valid({column}) THEN {column} ELSE as_json({column}) END"


def _as_json(text: str) -> str:
    """JSON text as Python reads it (half a surrogate pair is replaced), or else a JSON string of the text."""
    try:
        return json_text(parse(text))
    except ValueError:
        return json_text(text)


def _evened(text: str) -> str:
    """A list or an object as JSON text that does not tell which way it came.

    Over HTTP all numbers become floats, and the keys of an object lose their order.
    """

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        if isinstance(value, dict):
            return {key: whole(each) for key, each in value.items()}
        return int(value) if isinstance(value, float) and value.is_integer() else value

    try:
        return json_text(whole(parse(text)))
    except ValueError:
        return text


def _quoted(text: str) -> str:
    """A name as an SQL string; field names are Python identifiers, and quotes are doubled all the same."""
    return "'" + text.replace("'", "''") + "'"


def _named_in(sql: str, values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if f"${key}" in sql}


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    import pyarrow as pa

    batches: Sequence[pa.RecordBatch] = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
