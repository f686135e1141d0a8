"""Loading traces from an MLflow server, beside a plain loop of MLflow's own client over the same server.

Run: python -m telefine_assets_tests.benchmarks.http_loading [traces]
Limits: at least 3 times the client's throughput, with spans and without.

A real ``mlflow server`` with two workers serves a generated SQLite store. Both
sides read the same traces, by turns; the client's turns come before and after
ours, and the middle ratio stands, so that a busy neighbour does not decide.
With spans the client is given a part of the traces, since it takes long.

Without spans the client brings no inputs and outputs but the previews; ours
brings the whole inputs and outputs, tags and assessments.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from telefine_assets.traces.sources.api import ApiSource
from telefine_assets.traces.sources.protocol import TraceQuery
from telefine_assets_tests.traces.mlflow_server import served
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT, empty_store, fill

START = 1_795_132_800_000
LIMIT = 3.0
ROUNDS = 5


def peer(uri: str, traces: int, spans: bool) -> float:
    """Traces a second of ``MlflowClient.search_traces``, page by page."""
    from mlflow import MlflowClient

    client, token, found = MlflowClient(uri), None, 0
    begun = time.perf_counter()
    while found < traces:
        page = client.search_traces(
            locations=["1"],
            max_results=min(500, traces - found),
            page_token=token,
            include_spans=spans,
            order_by=["timestamp_ms ASC"],
        )
        found, token = found + len(page), page.token
    return found / (time.perf_counter() - begun)


def ours(uri: str, until_ms: int, spans: Literal["none", "all"]) -> float:
    """Traces a second of ours."""
    query = TraceQuery(EXPERIMENT, START, until_ms, ("ticket",), spans=spans)
    begun = time.perf_counter()
    found = sum(batch.num_rows for batch in ApiSource(uri).read(query))
    return found / (time.perf_counter() - begun)


def compare(uri: str, name: str, traces: int, step: int, spans: bool) -> float:
    """Measure by turns and print; the middle ratio."""
    until, wanted = START + traces * step, "all" if spans else "none"
    theirs, our = [peer(uri, traces, spans)], []
    for _ in range(ROUNDS):
        our.append(ours(uri, until, wanted))  # type: ignore[arg-type]
        theirs.append(peer(uri, traces, spans))
    ratios = [2 * mine / (before + after) for mine, before, after in zip(our, theirs[:-1], theirs[1:], strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"{name}: {traces} traces, MlflowClient {statistics.median(theirs):,.0f}/s, ours "
        f"{statistics.median(our):,.0f}/s, ratio {ratio:.1f} ({min(ratios):.1f} to {max(ratios):.1f}; limit {LIMIT})",
        flush=True,
    )
    return ratio


def main() -> None:
    """Measure both."""
    traces = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = empty_store(folder)
        fill(uri, traces, START)
        step = 86_400_000 // traces
        with served(uri, folder / "server", workers=2) as server:
            for _ in range(2):  # both workers have started up
                peer(server.uri, 500, spans=True)
            ratios = [
                compare(server.uri, "without spans", traces, step, spans=False),
                compare(server.uri, "with spans", min(traces, 2_000), step, spans=True),
            ]
    if min(ratios) < LIMIT:
        sys.exit("below the limit")


if __name__ == "__main__":
    main()
