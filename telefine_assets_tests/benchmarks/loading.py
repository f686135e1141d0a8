"""Loading a day of traces from MLflow's SQLite store into Parquet, against two peers.

Run: python -m telefine_assets_tests.benchmarks.loading [traces]
Limits, on 100,000 traces of 3 spans, tags and 2 assessments: at least 50 times
the throughput of ``mlflow.search_traces`` with spans (measured on a sample); at
most 2 times the wall time of the bare scan, which is the same SQL through
Python's sqlite3 with the rows thrown away; at most 400 MB.
"""

import sqlite3
from collections.abc import Iterator

# Imported before the clock starts: what is measured is the loading.
import adbc_driver_sqlite.dbapi
import duckdb
import numpy
import pyarrow.compute
import pyarrow.parquet

from telefine_assets.partitions import bounds_ms
from telefine_assets_tests.benchmarks.measuring import DAY, STORES, measured, store_of
from telefine_assets_tests.benchmarks.results import Result, report

WARM = (adbc_driver_sqlite.dbapi, duckdb, numpy, pyarrow.compute, pyarrow.parquet)
HERE = "telefine_assets_tests.benchmarks.loading"
SAMPLE = 1_000
ROUNDS = 3


def ours(uri: str) -> int:
    """Load the day, as the asset does."""
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.files import Files
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.days import load_day
    from telefine_assets.traces.sources.databases import database_of
    from telefine_assets.traces.sources.direct import DirectSource
    from telefine_assets.traces.sources.protocol import TraceQuery

    source = DirectSource(database_of(uri), archive=None)
    query = TraceQuery("tickets", *bounds_ms(DAY), ("ticket",))
    files = Files(str(STORES / "out"))
    return load_day(source, query, TableStore(files), EvidenceStore(files).put, "tickets", DAY).rows


def fingerprints(uri: str) -> int:
    """Find out whether the day has changed."""
    from telefine_assets.traces.sources.databases import database_of
    from telefine_assets.traces.sources.direct import DirectSource
    from telefine_assets.traces.sources.protocol import TraceQuery

    query = TraceQuery("tickets", *bounds_ms(DAY), ("ticket",))
    return sum(batch.num_rows for batch in DirectSource(database_of(uri), archive=None).fingerprints(query))


def bare(uri: str) -> int:
    """The same columns of the same rows, fetched and thrown away."""
    from telefine_assets.traces.sources import direct
    from telefine_assets.traces.sources.protocol import TraceQuery

    query = TraceQuery("tickets", *bounds_ms(DAY), ("ticket",))
    whole = (1, query.start_ms, query.end_ms - 1, -1, "", query.end_ms, "")
    keys = ", ".join("?" * len(query.metadata_keys))
    statements = (
        (direct._INFO, (1, query.start_ms, query.end_ms, -1, "", 10**9)),
        (f"{direct._TAGS} AND c.key NOT LIKE 'mlflow.%'", whole),
        (f"{direct._METADATA} AND c.key IN ({keys})", (*whole, *query.metadata_keys)),
        (direct._ASSESSMENTS, whole),
        (direct._ROOTS, whole),
    )
    connection = sqlite3.connect(f"file:{uri.removeprefix('sqlite:///')}?mode=ro", uri=True)
    fetched = 0
    for sql, values in statements:
        cursor = connection.execute(sql.replace("<bytes>", "COLLATE BINARY"), values)
        while rows := cursor.fetchmany(10_000):
            fetched += len(rows)
    return fetched


def peer(uri: str, sample: int) -> int:
    """What MLflow offers: the same traces with their spans, as a DataFrame."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    return len(mlflow.search_traces(locations=["1"], max_results=sample))


def imported(uri: str) -> int:
    """The peer's import, which is not what is measured."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    return len(mlflow.search_traces(locations=["1"], max_results=1))


def main(count: int = 100_000) -> Iterator[Result]:
    """Measure ours, the bare scan, the fingerprints, and MLflow's own search."""
    uri = store_of(count)
    rounds = [(measured(HERE, "ours", uri), measured(HERE, "bare", uri)) for _ in range(ROUNDS)]
    best, scan = (min(each, key=lambda one: one.seconds) for each in zip(*rounds, strict=True))
    seen = min((measured(HERE, "fingerprints", uri) for _ in range(ROUNDS)), key=lambda one: one.seconds)
    theirs = measured(HERE, "peer", uri, SAMPLE).seconds - measured(HERE, "imported", uri).seconds
    assert best.said == count
    rate, their_rate = count / best.seconds, SAMPLE / theirs
    what = f"{count:,} traces from MLflow's SQLite to Parquet"
    yield Result(what, best.seconds, "s", 2 * scan.seconds, "the bare scan", scan.seconds)
    yield Result(f"{what}: memory", best.peak_mb, "MB", 400)
    search = ("mlflow.search_traces", their_rate)
    yield Result("loaded from SQLite", rate, "traces/s", 50 * their_rate, *search, more_is_better=True)
    yield Result("looked over for changes", count / seen.seconds, "traces/s", more_is_better=True)


if __name__ == "__main__":
    report(main)
