"""Traces handed in: taken into the spool, and written from there to MLflow.

Run: python -m telefine_assets_tests.benchmarks.spool
Limit: 500 traces a second taken in durably, sustained, in batches of 100 and of 1,000: JSON
read and checked, written to an SQLite ledger and on disk, answered. The peer of the
draining is MLflow's own API in one process: span, one feedback and one expectation of
the same traces into the same kind of store.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from telefine_assets_tests.benchmarks.measuring import measured
from telefine_assets_tests.benchmarks.results import Result, report

HERE = "telefine_assets_tests.benchmarks.spool"
TRACES, DRAINED, LOGGED, PER_SECOND = 6_000, 300, 40, 500
AT = 1_795_000_000_000


def submitted(number: int) -> dict[str, Any]:
    """A trace as an application sends it, about half a kilobyte."""
    return {
        "id": f"call-{number}",
        "inputs": {"ticket": f"My parcel {number} has not come and the label is missing. " * 4},
        "outputs": {"team": "shipping"},
        "expectations": {"right_team": "shipping"},
        "feedback": [{"name": "resolved", "value": True, "by": "ann"}],
        "contributor": "0x52908400098527886E0F7030069857D2E4169EE7",
        "session": f"chat-{number % 50}",
        "tags": {"channel": "mail"},
    }


def accept(folder: str, count: int, size: int) -> float:
    """Take traces in, batch by batch; the seconds for all of them."""
    import time

    import orjson

    from telefine_assets.api.answers import parsed
    from telefine_assets.api.traces import Target, TraceBatch, _answer, accept_traces
    from telefine_assets.attribution.submissions import Scope
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.spool import Spool

    spool = Spool(Ledger(f"sqlite:///{folder}/ledger.db"))
    target = Target(Scope("shop", "tickets"), ("ticket",), may_be_null=frozenset(), tags=frozenset())
    bodies = [
        json.dumps({"traces": [submitted(each) for each in range(first, first + size)]}).encode()
        for first in range(0, count, size)
    ]
    start = time.perf_counter()
    for number, body in enumerate(bodies):
        batch = parsed(body, TraceBatch).traces
        orjson.dumps(_answer(accept_traces(spool, target, batch, "key", f"batch {number}", AT)))
    seconds = time.perf_counter() - start
    if spool.lag("tickets").accepted != count:
        raise AssertionError("not every trace is in the spool")
    return seconds


def drain(folder: str, count: int, uri: str) -> float:
    """Write traces that wait to MLflow; the seconds for all of them."""
    import time

    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.traces import spooling
    from telefine_assets.traces.mlflow_writing import MlflowWriter
    from telefine_assets_tests.traces.mlflow_store import EXPERIMENT

    spool = Spool(Ledger(f"sqlite:///{folder}/ledger.db"))
    place = spooling.Place("tickets", "telefine.contributor", "telefine.submission")
    writer = MlflowWriter(uri, EXPERIMENT)
    spooling.drain(spool, place, writer, 10, AT)
    start = time.perf_counter()
    done = spooling.drain(spool, place, writer, count, AT)
    seconds = time.perf_counter() - start
    if done.written != count:
        raise AssertionError(f"{done.written} of {count} traces were written")
    return seconds


def log_by_mlflow(count: int, uri: str) -> float:
    """The same traces by MLflow's API; the seconds for all of them."""
    import time

    import mlflow
    from mlflow.entities import AssessmentSource

    from telefine_assets_tests.traces.mlflow_logging import log, logging_to

    ann = AssessmentSource("HUMAN", "ann")

    def one(number: int) -> None:
        said = submitted(number)
        tags = said["tags"] | {"telefine.contributor": said["contributor"]}
        trace_id = log("1", AT + number, said["inputs"], said["outputs"], tags=tags)
        mlflow.log_feedback(trace_id=trace_id, name="resolved", value=True, source=ann)
        mlflow.log_expectation(trace_id=trace_id, name="right_team", value="shipping", source=ann)

    with logging_to(uri):
        for number in range(10):
            one(count + number)
        start = time.perf_counter()
        for number in range(count):
            one(number)
        return time.perf_counter() - start


def main() -> Iterator[Result]:
    """Measure taking in, and draining beside MLflow's own API."""
    from telefine_assets_tests.traces.mlflow_store import copy_store, empty_store

    folder = Path(tempfile.mkdtemp(prefix="telefine-spool-"))
    try:
        for size in (100, 1_000):
            rate = TRACES / measured(HERE, "accept", str(folder / f"of-{size}"), TRACES, size).said
            yield Result(f"taken in, batches of {size:,}", rate, "traces/s", PER_SECOND, more_is_better=True)
        empty_store(folder / "empty")
        uri = copy_store(folder / "empty", folder / "drained")
        written = DRAINED / measured(HERE, "drain", str(folder / "of-1000"), DRAINED, uri).said
        peer = LOGGED / measured(HERE, "log_by_mlflow", LOGGED, copy_store(folder / "empty", folder / "logged")).said
        beside = ("MLflow's own API", peer)
        yield Result("written to MLflow from the spool", written, "traces/s", None, *beside, more_is_better=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    report(main)
