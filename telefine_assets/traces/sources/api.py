"""Traces through MLflow's API, from any tracking URI: parallel over time windows, by keyset on the start.

MLflow's pages are offsets: a trace that is written meanwhile shifts the rows.
So no page follows another by offset. What was asked for is a span of time; when
there is more than one answer holds, the next request begins at the last
millisecond that was seen, which is then read again as a whole. Only when one
millisecond holds more traces than an answer does, its pages are offsets, and
they are read until a pass finds nothing new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telefine_assets.traces.sources.api_client import ClientTracking
from telefine_assets.traces.sources.api_patience import CannotSend
from telefine_assets.traces.sources.api_plan import Found, Plan, Window
from telefine_assets.traces.sources.api_rest import RestTracking
from telefine_assets.traces.sources.api_rows import (
    Info,
    Tracking,
    joined,
    needs_spans,
    page_of,
    root_of,
    size_of,
    table,
)
from telefine_assets.traces.sources.api_spans import UNREADABLE
from telefine_assets.traces.sources.assembling import Assembler
from telefine_assets.traces.sources.counting import counted
from telefine_assets.traces.sources.pages import RawPage
from telefine_assets.traces.sources.protocol import Filters, TraceQuery, TraceSourceError, unknown_experiment

if TYPE_CHECKING:
    import pyarrow as pa

# Small pages are put together: assembling has a fixed cost.
_TRACES_TOGETHER, _BYTES_TOGETHER = 5_000, 16 * 2**20
_PLAIN = re.compile(r"[A-Za-z0-9_./:@ -]{1,250}", re.ASCII)
# MLflow takes some words as a tag's key for something else, and keeps its own tags elsewhere.
_NOT_A_TAG = re.compile(
    r"mlflow\..*|name|prompt|run_id|text|timestamp|execution_time|end_time", re.ASCII | re.IGNORECASE
)


class ApiSource:
    """Reads through MLflow's API."""

    def __init__(self, tracking_uri: str, described: str = "", threads: int = 4) -> None:
        """Read from the server or store at ``tracking_uri`` with ``threads`` requests at a time.

        A tracking server of MLflow's has four workers unless told otherwise, and
        a connection stays with the one that took it. Which one that is is
        chance: with more connections than cores, it is rare that one stands idle.
        """
        self._uri, self._threads = tracking_uri, threads
        self.described = described or "through MLflow's API"

    def read(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        with closing(Assembler(query)) as assembler, closing(_Reading(self._uri, query, self._threads)) as reading:
            for page in _together(reading.pages(spans=True)):
                lacking = assembler.lacking(page)
                missed = [trace_id for trace_id in lacking if trace_id not in reading.complete]
                reading.complete.difference_update(lacking)
                yield assembler.assemble(reading.with_spans(page, missed) if missed else page)

    def fingerprints(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        with closing(Assembler(query)) as assembler, closing(_Reading(self._uri, query, self._threads)) as reading:
            for page in _together(reading.pages(spans=False)):
                yield assembler.fingerprints(page)

    def counts(self, query: TraceQuery) -> dict[str, int]:
        """See :class:`~telefine_assets.traces.sources.protocol.TraceSource`."""
        return counted(self.fingerprints(query))


def spans_by_client(tracking_uri: str) -> Callable[[Sequence[str]], pa.Table]:
    """Fetches all spans of traces (the raw ``spans`` table) through MLflow, wherever MLflow keeps them."""
    tracking = _tracking(tracking_uri)
    return lambda trace_ids: table("spans", tracking.spans(trace_ids))


def _tracking(uri: str) -> Tracking:
    return RestTracking(uri) if urlsplit(uri).scheme in ("http", "https") else ClientTracking(uri)


class _Reading:
    """One query's requests."""

    def __init__(self, uri: str, query: TraceQuery, threads: int) -> None:
        self._tracking, self._query, self._threads = _tracking(uri), query, threads
        self._more = _pushed_down(query.filters)
        self._experiment = ""
        self._spans = False
        self.complete: set[str] = set()
        """Traces, not yet handed out, of which all spans were read."""

    def close(self) -> None:
        """Give up what is under way."""
        self._tracking.stop()

    def pages(self, spans: bool) -> Iterator[RawPage]:
        """The query's traces in pages, ordered by start and id; with what is needed of their ``spans``."""
        found = self._tracking.experiment(self._query.experiment)
        if found is None:
            raise unknown_experiment(self._query.experiment, self._tracking.where, self._tracking.experiments())
        self._experiment, self._spans = found, spans
        plan = Plan(self._search, self._read, self._tracking.stop, self._threads, self._tracking.page)
        yield from plan.pages(Window(self._query.start_ms, self._query.end_ms))

    def with_spans(self, page: RawPage, trace_ids: Sequence[str]) -> RawPage:
        """The page with all spans of some traces."""
        return page.with_spans(table("spans", self._tracking.spans(trace_ids)))

    def _search(self, window: Window) -> Found:
        """The traces of a window: all, or those before the last millisecond that the answer reaches."""
        infos, token = self._infos(window)
        rest = None
        if token is not None and infos:
            last = infos[-1].request_time_ms
            if infos[0].request_time_ms == last:
                infos, rest = self._millisecond(last), Window(last + 1, window.end_ms)
            else:
                infos, rest = [info for info in infos if info.request_time_ms < last], Window(last, window.end_ms)
        infos.sort(key=lambda info: (info.request_time_ms, info.trace_id))
        lacking = (info.trace_id for info in infos if self._spans and needs_spans(info, self._query))
        return Found(window, infos, frozenset(lacking), rest)

    def _infos(self, window: Window) -> tuple[list[Info], str | None]:
        """The first traces of a window; fewer than a page where MLflow fails at one of them."""
        condition, count = self._condition(window), self._tracking.page
        while True:
            try:
                return self._tracking.infos(self._experiment, condition, None, count)
            except CannotSend as error:
                if count == 1:
                    raise self._named(window, condition, error) from None
                count = max(1, count // 8)

    def _named(self, window: Window, condition: str, error: CannotSend) -> TraceSourceError:
        """The error with the trace at which MLflow fails, if it can say at least this."""
        try:
            trace_id = self._tracking.first_id(self._experiment, condition)
        except TraceSourceError:
            trace_id = None
        if trace_id is None:
            return TraceSourceError(f"{error} (it fails at the first trace since Unix millisecond {window.start_ms})")
        return TraceSourceError(
            f"the MLflow server at {self._tracking.where} cannot send trace {trace_id}: one of its assessments holds "
            "what MLflow's REST API has no words for (NaN, infinity, half a character) or is corrupt. Delete that "
            "assessment, or read the database itself (mlflow.trace_source: direct); nothing was stored"
        )

    def _millisecond(self, at_ms: int) -> list[Info]:
        """All traces of a millisecond that holds more than a page; its pages are offsets, so: until none is new."""
        seen: dict[str, Info] = {}
        condition, before = self._condition(Window(at_ms, at_ms + 1)), -1
        try:
            while len(seen) > before:
                before, token = len(seen), None
                while True:
                    infos, token = self._tracking.infos(self._experiment, condition, token, self._tracking.page)
                    seen |= {info.trace_id: info for info in infos}
                    if token is None:
                        break
        except CannotSend as error:
            raise TraceSourceError(f"{error} (it fails at a trace of Unix millisecond {at_ms})") from None
        return list(seen.values())

    def _condition(self, window: Window) -> str:
        times = f"trace.timestamp_ms >= {int(window.start_ms)} AND trace.timestamp_ms < {int(window.end_ms)}"
        return " AND ".join([times, *self._more])

    def _read(self, found: Found) -> RawPage:
        """The page of some traces, with all spans of those that need them and the root of the others."""
        lacking = [info.trace_id for info in found.infos if info.trace_id in found.lacking]
        rows = self._tracking.spans(lacking) if lacking else []
        self.complete.update(lacking)
        came = {row[0] for row in rows if row[1] != UNREADABLE}
        if self._spans:
            rows += [root for info in found.infos if info.trace_id not in came and (root := root_of(info))]
        return page_of(found.infos, rows, self._query)


def _pushed_down(filters: Filters) -> list[str]:
    """Those filters that MLflow can be asked for in words that mean the same to it; all are applied later anyway.

    MLflow takes its conditions from one string and knows no escapes in it: what
    is not plain text stays here.
    """
    conditions = []
    if len(filters.statuses) == 1 and filters.statuses[0].replace("_", "").isalpha():
        conditions.append(f"trace.status = '{filters.statuses[0]}'")
    for key, value in filters.tags.items():
        if _PLAIN.fullmatch(key) and _PLAIN.fullmatch(value) and not _NOT_A_TAG.fullmatch(key):
            conditions.append(f"tags.`{key}` = '{value}'")
    return conditions


def _together(pages: Iterator[RawPage]) -> Iterator[RawPage]:
    """The same traces in fewer pages."""
    held: list[RawPage] = []
    traces = size = 0
    with closing(pages):  # type: ignore[type-var]
        for page in pages:
            held.append(page)
            traces, size = traces + page.info.num_rows, size + size_of(page)
            if traces >= _TRACES_TOGETHER or size >= _BYTES_TOGETHER:
                yield joined(held)
                held, traces, size = [], 0, 0
        if held:
            yield joined(held)
