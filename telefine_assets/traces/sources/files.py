"""Traces from exported files: Parquet or JSON lines, anywhere that fsspec reaches.

What a file may hold is told in ``file_rows``. Files know no experiments: all
traces in them are the program's. A trace may stand in several files, or twice
in one, if it says the same each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from telefine_assets.strangers_json import parse
from telefine_assets.traces.records import readable
from telefine_assets.traces.sources.api_rows import Info, page_of
from telefine_assets.traces.sources.assembling import Assembler
from telefine_assets.traces.sources.counting import counted
from telefine_assets.traces.sources.file_rows import TIMES, WHOLE, BadRow, start_of, trace_of
from telefine_assets.traces.sources.pages import RawPage
from telefine_assets.traces.sources.protocol import TraceQuery, TraceSourceError

if TYPE_CHECKING:
    import pyarrow as pa

_SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_ROWS_AT_ONCE = 500
_MANY_BYTES = 8 * 2**20
_MEMORY = "128MB"
# Where it stands comes last: of equal copies the first counts.
_FOUND = "CREATE TABLE found (start_ms BIGINT, trace_id VARCHAR, digest VARCHAR, trace VARCHAR, place VARCHAR)"
_CONTRADICTION = (
    "SELECT trace_id, arg_min(place, digest), arg_max(place, digest) FROM found GROUP BY trace_id "
    "HAVING min(digest) <> max(digest) ORDER BY trace_id LIMIT 1"
)
_ONCE = (
    "SELECT trace FROM found WHERE rowid IN (SELECT min(rowid) FROM found GROUP BY trace_id) "
    "ORDER BY start_ms, trace_id"
)


class FileSource:
    """Reads exported files."""

    def __init__(self, uri: str) -> None:
        """Read the files at ``uri``: a path or an fsspec URI, with ``*`` for many, or a folder of them."""
        self._uri = uri
        self.described = f"from the files at {_without_credentials(uri)}"

    def read(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        with closing(Assembler(query)) as assembler:
            for page in self._pages(query):
                yield assembler.assemble(page)

    def fingerprints(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        with closing(Assembler(query)) as assembler:
            for page in self._pages(query):
                yield assembler.fingerprints(page)

    def counts(self, query: TraceQuery) -> dict[str, int]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        return counted(self.fingerprints(query))

    def _pages(self, query: TraceQuery) -> Iterator[RawPage]:
        """The traces of the query's span of time, ordered by start and id; sorted on disk, not in memory."""
        with TemporaryDirectory(prefix="telefine-traces-") as folder, _sorter(Path(folder)) as sorter:
            for batch in self._found(query):
                sorter.register("batch", batch)
                sorter.execute("INSERT INTO found SELECT * FROM batch")
            _refuse_contradictions(sorter)
            reader = sorter.sql(_ONCE).to_arrow_reader(_ROWS_AT_ONCE)
            for batch in reader:
                for part in _parts(batch.column(0).to_pylist()):
                    yield _page(part, query)

    def _found(self, query: TraceQuery) -> Iterator[pa.Table]:
        """Rows of the table ``found`` for all files, in the order of their names."""
        import pyarrow as pa

        names = ("start_ms", "trace_id", "digest", "trace", "place")
        held: list[tuple[Any, ...]] = []
        size = 0
        for place, row in self._rows(query):
            try:
                if not query.start_ms <= start_of(row) < query.end_ms:
                    continue
                info, spans = trace_of(row, query.version_key)
            except BadRow as error:
                raise TraceSourceError(f"{place} is no trace: {error}; see the documented columns") from None
            text = readable(json.dumps([astuple(info), spans], ensure_ascii=False))
            held.append((info.request_time_ms, readable(info.trace_id), sha256(text.encode()).hexdigest(), text, place))
            size += len(text)
            if len(held) >= _ROWS_AT_ONCE or size > _MANY_BYTES:
                yield pa.table(dict(zip(names, zip(*held, strict=True), strict=True)))
                held, size = [], 0
        if held:
            yield pa.table(dict(zip(names, zip(*held, strict=True), strict=True)))

    def _rows(self, query: TraceQuery) -> Iterator[tuple[str, dict[str, Any]]]:
        """Rows of all files, each with where it stands."""
        from fsspec.core import url_to_fs

        with self._said():
            files, path = url_to_fs(self._uri)
            found = sorted(files.glob(path)) if _is_pattern(path) else [path] * files.exists(path)
            if len(found) == 1 and files.isdir(found[0]):
                found = sorted(files.ls(found[0], detail=False))
            found = [name for name in found if name.endswith(_SUFFIXES)]
        if not found:
            raise TraceSourceError(
                f"no file matches {_without_credentials(self._uri)} (Parquet or JSON lines: {', '.join(_SUFFIXES)}); "
                "check programs.*.traces.files"
            )
        for name in found:
            with self._said(name):
                yield from _parquet(files, name, query) if name.endswith(".parquet") else _lines(files, name)

    @contextmanager
    def _said(self, name: str = "") -> Iterator[None]:
        """A file system's error in words that say where; credentials are not among them."""
        import pyarrow as pa

        try:
            yield
        except (OSError, ImportError, EOFError, ValueError, pa.ArrowException) as error:
            secret = urlsplit(self._uri).password
            text = " ".join(str(error).split())[:300]
            raise TraceSourceError(
                f"{name or _without_credentials(self._uri)} cannot be read: {type(error).__name__}: "
                f"{text.replace(secret, '***') if secret else text}; check programs.*.traces.files"
            ) from None


def _is_pattern(path: str) -> bool:
    return any(character in path for character in "*?[")


def _without_credentials(uri: str) -> str:
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.netloc else uri


def _lines(files: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with files.open(name, "rb", compression="gzip" if name.endswith(".gz") else None) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{PurePosixPath(name).name}, line {number},"
            try:
                row = parse(line)
            except (ValueError, RecursionError) as error:
                raise TraceSourceError(
                    f"{place} is no JSON ({error}); each line must be one trace. Export the file again, or remove "
                    "the line"
                ) from None
            if not isinstance(row, dict):
                raise TraceSourceError(f"{place} is no JSON object; each line must be one trace")
            yield place, row


def _parquet(files: Any, name: str, query: TraceQuery) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet as pq

    with files.open(name, "rb") as opened, pq.ParquetFile(opened) as parquet:
        columns = parquet.schema_arrow.names
        if WHOLE not in columns and not (set(columns) & set(TIMES) and {"trace_id", "request_id"} & set(columns)):
            raise TraceSourceError(
                f"{PurePosixPath(name).name} has no column trace, nor trace_id and {TIMES[0]}; it has "
                f"{', '.join(columns)}; see the documented columns"
            )
        wanted = [WHOLE] if WHOLE in columns else None
        number = 0
        for group in range(parquet.num_row_groups):
            if _is_outside(parquet, group, query):
                number += parquet.metadata.row_group(group).num_rows
                continue
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=wanted, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{PurePosixPath(name).name}, row {number},", row


def _is_outside(parquet: Any, group: int, query: TraceQuery) -> bool:
    """Whether the statistics of a row group say that all of it started at other times."""
    if WHOLE in parquet.schema_arrow.names:
        return False
    time = next(name for name in TIMES if name in parquet.schema_arrow.names)
    column = parquet.metadata.row_group(group).column(parquet.schema_arrow.names.index(time))
    known = column.path_in_schema == time and column.statistics is not None and column.statistics.has_min_max
    if not known or not isinstance(column.statistics.min, int):
        return False
    return bool(column.statistics.max < query.start_ms or column.statistics.min >= query.end_ms)


@contextmanager
def _sorter(folder: Path) -> Iterator[Any]:
    """A database of its own in ``folder``, which goes to disk when it needs more memory than it may have."""
    import duckdb

    config = {"threads": 1, "memory_limit": _MEMORY, "temp_directory": str(folder / "spill")}
    with duckdb.connect(str(folder / "found.duckdb"), config=config) as connection:
        connection.execute(_FOUND)
        yield connection


def _refuse_contradictions(sorter: Any) -> None:
    found = sorter.execute(_CONTRADICTION).fetchone()
    if found is not None:
        trace_id, one, other = found
        one, other = sorted((one.rstrip(","), other.rstrip(",")))
        raise TraceSourceError(
            f"trace {trace_id} says one thing in {one} and another in {other}; which of them holds cannot be told "
            "from files, and money may hang on it. Remove the older export"
        )


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in lists of bounded size."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size > _MANY_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _page(texts: Sequence[str], query: TraceQuery) -> RawPage:
    infos, spans = [], []
    for text in texts:
        info, rows = parse(text)
        infos.append(Info(*info))
        spans += rows
    return page_of(infos, spans, query)
