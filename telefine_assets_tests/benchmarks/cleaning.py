"""Cleaning a day of traces, near-duplicates included.

Run: python -m telefine_assets_tests.benchmarks.cleaning [traces]
Limits: 100,000 traces in at most 60 s and 1.5 GB on two cores; ten times the
traces in at most twelve times the time (``cleaning 1000000`` prints the ratio).
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from telefine_assets.partitions import bounds_ms
from telefine_assets_tests.benchmarks.measuring import DAY, STORES, measured
from telefine_assets_tests.benchmarks.results import Result, report

WARM = (duckdb, numpy, pyarrow.compute, pyarrow.parquet)
HERE = "telefine_assets_tests.benchmarks.cleaning"
BASE = 100_000
CHUNK = 10_000
COPIES = 20
WALLETS = [f"0x{number:040x}" for number in range(1, 200)]


def batches(count: int) -> Iterator[pa.RecordBatch]:
    """Traces as a source brings them: one in 20 is a copy or near-copy of an earlier one."""
    from telefine_assets.traces.records import trace_schema

    words = [f"word{number}" for number in range(5_000)]
    start, step = bounds_ms(DAY)[0], 86_400_000 // count
    texts: list[str] = []
    for first in range(0, count, CHUNK):
        rng = random.Random(first)
        rows = []
        for number in range(first, min(count, first + CHUNK)):
            text = " ".join(rng.choices(words, k=rng.randint(20, 40)))
            if texts and rng.randrange(COPIES) == 0:
                text = rng.choice(texts) + rng.choice(("", "!", " thanks"))
            elif number % 50 == 0:
                texts.append(text)
            rows.append(_row(rng, number, start + number * step, text))
        yield pa.RecordBatch.from_pylist(rows, schema=trace_schema())


def _row(rng: random.Random, number: int, at_ms: int, text: str) -> dict[str, object]:
    team = rng.choice(("billing", "login", "shipping"))
    common = {"source_type": "HUMAN", "create_time_ms": at_ms, "valid": True, "rationale": None, "error": None}
    said = [
        {"name": "resolved", "kind": "feedback", "value": "true", "source_id": "ann", "assessment_id": "a-1"} | common,
        {"name": "right_team", "kind": "expectation", "value": json.dumps(team), "source_id": "bob"} | common,
    ]
    return {
        "trace_id": f"tr-{number:032x}",
        "request_time_ms": at_ms,
        "duration_ms": rng.randint(50, 3_000),
        "status": "OK",
        "inputs": json.dumps({"ticket": text}),
        "outputs": json.dumps({"team": team}),
        "session": f"s-{number // 2}" if number % 10 == 0 else None,
        "tokens": rng.randint(10, 500),
        "tags": json.dumps({"channel": "mail", "release": "2026.9", "telefine.contributor": rng.choice(WALLETS)}),
        "assessments": json.dumps(said),
        "fingerprint": "f" * 64,
        "digest": "d" * 64,
    }


def stored(count: int) -> None:
    """Store the day once."""
    from telefine_assets.store.files import Files
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.records import trace_schema

    tables = TableStore(Files(str(STORES / f"cleaning-{count}")))
    if not tables.exists("tickets", "traces", DAY):
        tables.write_batches("tickets", "traces", DAY, batches(count), trace_schema())


def ours(count: int) -> list[int]:
    """Clean the stored day, as the asset does; returns how many were kept, and in how many clusters."""
    from telefine_assets.settings.schema import Settings
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.days import INDEX, clean_stored_day
    from telefine_assets.traces.fields import Fields

    program = {
        "module": "none:none",
        "experiment": "tickets",
        "cleaning": {
            "outcomes": [{"feedback": "resolved", "kind": "boolean"}],
            "expectations": {"team": "right_team"},
        },
        "split": {"key": "benchmark"},
        "compile": {"strategies": [{"strategy": "labeled_few_shot"}]},
    }
    settings = Settings(partitions={"start": DAY}, programs={"tickets": program}).program("tickets")
    files = Files(str(STORES / f"cleaning-{count}"))
    tables = TableStore(files)
    # What an earlier round placed would make this one easier.
    Path(tables.path("tickets", INDEX, DAY)).unlink(missing_ok=True)
    fields = Fields(("ticket",), ("team",), {"ticket": str, "team": str})
    cleaned, _ = clean_stored_day(tables, RecordStore(files), "tickets", DAY, fields, settings)
    return [cleaned.report.kept, len(set(cleaned.table["cluster"].to_pylist()))]


def main(count: int = BASE) -> Iterator[Result]:
    """Measure a day of the base size, and one of ``count``."""
    times = {}
    for each in sorted({BASE, count}):
        measured(HERE, "stored", each)
        done = measured(HERE, "ours", each)
        times[each] = done.seconds
        kept, clusters = done.said
        print(f"  {kept:,} kept in {clusters:,} clusters")
        limited = each == BASE
        yield Result(f"{each:,} traces cleaned", done.seconds, "s", 60 if limited else None)
        yield Result(f"{each:,} traces cleaned: memory", done.peak_mb, "MB", 1_500 if limited else None)
    if count > BASE:
        limit = 1.2 * count / BASE
        yield Result(
            f"cleaning {count / BASE:.0f} times the traces", times[count] / times[BASE], "times the time", limit
        )


if __name__ == "__main__":
    report(main)
