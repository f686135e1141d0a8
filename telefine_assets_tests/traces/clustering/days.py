"""Days of traces for the tests of clustering, and a store that keeps their indexes as Parquet."""

import io
import random
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clustering.assigning import Clustered, cluster_day
from telefine_assets.traces.clustering.shingles import hashed_shingles
from telefine_assets.traces.clusters import cluster_of, text_of

VOCABULARY = (
    "account invoice parcel password refund charge address card login reset courier order payment screen email "
    "number late twice missing wrong broken please help cannot again today since update phone code link plan "
    "cancel renew receipt label return damaged empty locked expired session browser window button page contact"
)
WORDS = VOCABULARY.split()


class Trace(NamedTuple):
    """What a test says of a trace."""

    trace_id: str
    text: str
    session: str | None = None
    arrival_ms: int = 0


def content_of(text: str) -> str:
    return cluster_of({"ticket": text})


def side_of(group: str) -> str:
    share = int(group[:8], 16) / 2**32
    return "holdout" if share < 0.4 else "validation" if share < 0.6 else "train"


def arrivals_of(traces: Iterable[Trace]) -> pa.Table:
    traces = list(traces)
    columns = {
        "trace_id": pa.array([trace.trace_id for trace in traces], pa.string()),
        "arrival_ms": pa.array([trace.arrival_ms for trace in traces], pa.int64()),
        "content": pa.array([content_of(trace.text) for trace in traces], pa.string()),
        "text": pa.array([text_of({"ticket": trace.text}) for trace in traces], pa.string()),
        "session": pa.array([trace.session for trace in traces], pa.string()),
    }
    return pa.table(columns)


def stored(table: pa.Table) -> pa.Table:
    """The table as Parquet gives it back."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(io.BytesIO(file.getvalue()))


class Row(NamedTuple):
    """Where a trace stands."""

    cluster: str
    group: str
    straddles: bool


def rows_of(clustered: Clustered) -> dict[str, Row]:
    rows = clustered.rows.to_pylist()
    return {row["trace_id"]: Row(row["cluster"], row["group"], row["straddles"]) for row in rows}


class Program:
    """A program's days: the index of each is kept, and is seen when another day is cleaned."""

    def __init__(self, settings: NearDuplicateSettings | None = None) -> None:
        self.settings = settings or NearDuplicateSettings()
        self.indexes: dict[str, pa.Table] = {}
        self.side_of = side_of

    def clean(self, day: str, traces: Iterable[Trace]) -> dict[str, Row]:
        return rows_of(self.cluster(day, arrivals_of(traces)))

    def cluster(self, day: str, arrivals: pa.Table) -> Clustered:
        others = (table for name, table in self.indexes.items() if name != day)
        done = cluster_day(arrivals, day, others, self.indexes.get(day), self.settings, self.side_of)
        self.indexes[day] = stored(done.index)
        return done

    def listed(self, day: str) -> set[tuple[str, str | None]]:
        rows = self.indexes[day].to_pylist()
        return {(row["content"].hex(), row["session"]) for row in rows}


def shingles(text: str) -> set[int]:
    return set(next(hashed_shingles([text_of({"ticket": text})])).tolist())


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity, counted."""
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def torn_apart(traces: Sequence[Trace], rows: dict[str, Row], least: float = 0.9) -> list[tuple[Trace, Trace]]:
    """Pairs of kept traces that belong together and stand on different sides."""
    sides = {name: side_of(row.group) for name, row in rows.items() if not row.straddles}
    pairs = combinations([trace for trace in traces if trace.trace_id in sides], 2)
    apart = ((one, other) for one, other in pairs if sides[one.trace_id] != sides[other.trace_id])
    return [
        (one, other)
        for one, other in apart
        if (one.session and one.session == other.session) or similarity(one.text, other.text) >= least
    ]


def sentence(rng: random.Random, words: int = 40) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def reworded(rng: random.Random, text: str, times: int = 1) -> str:
    """The text with so many words replaced."""
    words = text.split()
    for at in rng.sample(range(len(words)), times):
        words[at] = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6))
    return " ".join(words)


def on_side(side: str, rng: random.Random, words: int = 40) -> str:
    """A text that founds a group on this side."""
    return next(text for text in iter(lambda: sentence(rng, words), None) if side_of(content_of(text)) == side)
