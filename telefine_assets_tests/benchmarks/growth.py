"""What a deployment grows by: bytes and processor time for a trace, for an answer, for a day.

Run: python -m telefine_assets_tests.benchmarks.growth [traces]

Days of several sizes are loaded and cleaned by the real assets from generated MLflow stores;
what a trace adds is the slope between the smallest and the largest, so that what every day
costs whatever its size is left out. ``docs/capacity.md`` extrapolates from these numbers to a
billion traces a year (``year``), and a test holds it to that.
"""

import json
import resource
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from telefine_assets_tests.benchmarks.measuring import STORES, measured
from telefine_assets_tests.benchmarks.results import Result, report

HERE = "telefine_assets_tests.benchmarks.growth"
SIZES = (1_000, 3_000, 10_000)
TABLES = ("traces", "cleaned_traces", "dropped_traces", "cluster_index")
HANDED_IN, ANSWERS = 2_000, 5_000
# What a small model says in an answer of one field, with its usage, as DSPy keeps it.
ANSWER = json.dumps({"message": {"parts": [{"text": "shipping"}]}, "usage": {"input_tokens": 310, "output_tokens": 4}})
DAYS = 365


def grown(folder: str, count: int) -> dict[str, float]:
    """Load and clean one day of ``count`` traces; bytes by place, and ``seconds`` of processor time."""
    import dagster as dg

    from telefine_assets.partitions import bounds_ms
    from telefine_assets_tests.traces.deployment import FIRST, Deployment
    from telefine_assets_tests.traces.mlflow_store import empty_store, fill

    # Migrations take ten seconds; an empty store is kept beside the generated ones.
    if not (STORES / "empty" / "mlflow.db").exists():
        empty_store(STORES / "empty")
    here = Deployment(STORES / "empty", _made(Path(folder) / "deployment"))
    fill(f"sqlite:///{here.file}", count, bounds_ms(FIRST)[0])
    with dg.DagsterInstance.local_temp(str(_made(Path(folder) / "dagster"))) as instance:
        # Its empty databases are made when they are first asked.
        runs, events = instance.get_runs_count(), instance.all_asset_keys()
        assert not runs and not events
        empty, before = _size(Path(folder) / "dagster"), _processor_seconds()
        here.run(instance, FIRST)
        seconds = _processor_seconds() - before
    tables = here.home / "store" / "tables" / "tickets"
    found: dict[str, float] = {name: float(_size(tables / name)) for name in TABLES}
    others = {
        "mlflow": _size(here.file),
        "run": _size(Path(folder) / "dagster") - empty,
        "ledger": _size(here.home / "ledger.db"),
    }
    return found | others | {"seconds": seconds}


def handed_in(folder: str, count: int) -> int:
    """Bytes of a ledger after ``count`` traces of half a kilobyte came in by the API."""
    from telefine_assets_tests.benchmarks.spool import accept

    accept(str(_made(Path(folder))), count, 500)
    return _ledger(Path(folder))


def answered(folder: str, count: int) -> int:
    """Bytes of a ledger after ``count`` short answers of a language model."""
    import hashlib

    from telefine_assets.ledger.answers import Answers
    from telefine_assets.ledger.connection import Ledger

    ledger = Ledger(f"sqlite:///{_made(Path(folder))}/ledger.db")
    answers = Answers(ledger)
    for number in range(count):
        answers.keep(hashlib.sha256(str(number).encode()).hexdigest(), ANSWER)
    ledger.close()
    return _ledger(Path(folder))


def attested(folder: str, count: int) -> dict[str, float]:
    """Bytes by place after ``count`` attested days of 400 held-out items; the first is paid and has its report."""
    from telefine_assets.partitions import days_from
    from telefine_assets_tests.api.served import paid_home
    from telefine_assets_tests.cli.attested_home import MONDAY

    home = paid_home(_made(Path(folder)), days_from(MONDAY, "2026-12-31")[:count])
    store = Path(home.settings.store.uri)
    found = {"evidence": _size(store / "evidence"), "records": _size(store / "records")}
    return found | {"ledger": _ledger(home.settings.home)}


def year(each: Mapping[str, float], traces: int) -> dict[str, float]:
    """What a year of ``traces`` adds: gigabytes of everything that is given in bytes a trace, ``hours`` of processor.

    Args:
        each: bytes a trace by place, and processor seconds a trace as ``seconds``.
        traces: in the year.
    """
    gigabytes = {name: value * traces / 1e9 for name, value in each.items() if name != "seconds"}
    return gigabytes | {"hours": each["seconds"] * traces / 3600}


def slope(small: Mapping[str, float], large: Mapping[str, float], apart: int) -> dict[str, float]:
    """What one of ``apart`` more adds to each place."""
    return {name: (large[name] - small[name]) / apart for name in small}


def main(most: int = SIZES[-1]) -> Iterator[Result]:
    """Measure, smallest first."""
    sizes = [size for size in SIZES if size < most] + [most]
    with tempfile.TemporaryDirectory(prefix="telefine-growth-") as name:
        done = [measured(HERE, "grown", f"{name}/{size}", size) for size in sizes]
        days = [each.said | {"memory": each.peak_mb * 1e3} for each in done]
        yield Result(f"loading and cleaning {sizes[0]:,} traces: memory", done[0].peak_mb, "MB")
        for size, day in zip(sizes, days, strict=True):
            whole = sum(day[table] for table in TABLES)
            yield Result("store: a day", whole / size, "bytes/trace", size=size, series="store")
        each = slope(days[0], days[-1], sizes[-1] - sizes[0])
        for place in ("mlflow", *TABLES):
            yield Result(f"{place}: one trace more", each[place], "bytes")
        yield Result("loading and cleaning: one trace more, processor", 1e6 * each["seconds"], "µs")
        yield Result("loading and cleaning: one trace more, memory", each["memory"], "kB")
        yield Result("Dagster: a run of two stages", days[0]["run"], "bytes")
        for what, few, many in (("handed_in", 500, HANDED_IN), ("answered", 1_000, ANSWERS)):
            small, large = (measured(HERE, what, f"{name}/{what}-{size}", size).said for size in (few, many))
            yield Result(f"ledger: one more {what.replace('_', ' ')}", (large - small) / (many - few), "bytes")
        few, many = (measured(HERE, "attested", f"{name}/attested-{size}", size).said for size in (1, 11))
        for place in ("evidence", "records"):
            yield Result(f"{place}: an attested and paid day of 400 items, with its report", few[place], "bytes")
        yield Result("ledger: one more attested day", (many["ledger"] - few["ledger"]) / 10, "bytes")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _size(place: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return (
        place.stat().st_size
        if place.is_file()
        else sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
    )


def _ledger(folder: Path) -> int:
    """Bytes of an SQLite ledger, when all that was written stands in its file."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "ledger.db").stat().st_size


def _processor_seconds() -> float:
    used: list[Any] = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return float(sum(each.ru_utime + each.ru_stime for each in used))


if __name__ == "__main__":
    report(main)
