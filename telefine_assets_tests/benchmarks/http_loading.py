"""Loading traces from an MLflow server, beside a plain loop of MLflow's own client over the same server.

Run: python -m telefine_assets_tests.benchmarks.http_loading [traces]
Limits, on 100,000 traces of 3 spans, tags and 2 assessments: at least 3 times
the throughput of ``MlflowClient.search_traces``, with spans and without.

A real ``mlflow server`` with two workers serves the store. The day is cut into
ten stretches; of each, the client reads the first pages of its plain loop, and
we read the stretch (with spans, both read less of it), so that a busy neighbour
meets both. The client is measured with its own page size, 100, and with the
largest that the server allows, 500.

Without spans the client brings no inputs and outputs but the previews; ours
brings the whole inputs and outputs, tags and assessments.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from telefine_assets.partitions import bounds_ms
from telefine_assets.traces.sources.api import ApiSource
from telefine_assets.traces.sources.protocol import TraceQuery
from telefine_assets_tests.benchmarks.measuring import DAY, store_of
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.traces.mlflow_server import served
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT

LIMIT = 3.0
STRETCHES = 10
PAGE, LARGEST_PAGE = 100, 500


@dataclass
class Rate:
    """Traces read, and how long it took."""

    traces: int = 0
    seconds: float = 0.0

    def add(self, traces: int, since: float) -> None:
        """Count traces that were read since a time of ``perf_counter``."""
        self.traces += traces
        self.seconds += time.perf_counter() - since

    @property
    def per_second(self) -> float:
        """Throughput."""
        return self.traces / self.seconds


def peer(client: Any, rate: Rate, first: int, traces: int, page: int, spans: bool) -> None:
    """``MlflowClient.search_traces``, page by page; the loop has come as far as trace number ``first``."""
    from mlflow.utils.search_utils import SearchUtils

    token, found, begun = SearchUtils.create_page_token(first) if first else None, 0, time.perf_counter()
    while found < traces:
        answer = client.search_traces(locations=["1"], max_results=page, page_token=token, include_spans=spans)
        found, token = found + len(answer), answer.token
    rate.add(found, begun)


def ours(uri: str, rate: Rate, first: int, traces: int, of: int, spans: Literal["none", "all"]) -> None:
    """Ours: traces number ``first`` and on, of a day with ``of`` traces."""
    start, end = bounds_ms(DAY)
    step = (end - start) // of
    query = TraceQuery(EXPERIMENT, start + first * step, start + (first + traces) * step, ("ticket",), spans=spans)
    begun = time.perf_counter()
    found = sum(batch.num_rows for batch in ApiSource(uri).read(query))
    assert found == traces, found
    rate.add(found, begun)


def compare(uri: str, of: int, spans: bool) -> Result:
    """Measure by turns, beside the client's plain loop."""
    from mlflow import MlflowClient

    client, stretch = MlflowClient(uri), of // STRETCHES
    plain, large, mine = Rate(), Rate(), Rate()
    for first in range(0, stretch * STRETCHES, stretch):
        peer(client, plain, first, min(stretch, 500), PAGE, spans)
        ours(uri, mine, first, stretch // 2 if spans else stretch, of, "all" if spans else "none")
        peer(client, large, first, min(stretch, 1_000), LARGEST_PAGE, spans)
    print(f"  MlflowClient with pages of {LARGEST_PAGE}: {large.per_second:,.0f}/s")
    what = f"loaded over HTTP {'with' if spans else 'without'} spans"
    limit = LIMIT * plain.per_second
    return Result(what, mine.per_second, "traces/s", limit, "MlflowClient", plain.per_second, more_is_better=True)


def main(traces: int = 100_000) -> Iterator[Result]:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder, served(store_of(traces), Path(folder), workers=2) as server:
        for _ in range(4):  # until each worker has started up
            ours(server.uri, Rate(), 0, min(traces, 1_000), traces, "all")
        for spans in (False, True):
            yield compare(server.uri, traces, spans)


if __name__ == "__main__":
    report(main)
