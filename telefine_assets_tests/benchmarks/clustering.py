"""What clusters of near-duplicates cost, beside datasketch's own index.

Run: python -m telefine_assets_tests.benchmarks.clustering [texts] [days]
Limit: 25 s and 600 MB for 100,000 texts; 12 times the time for 1,000,000. With ``days``, a further day of
``texts`` is matched against the indexes of so many days of as many texts. A crowd of as many near-copies of
one text shows that time stays in bounds where all inputs say the same.
"""

import random
import resource
import time
from collections.abc import Callable, Iterator
from hashlib import sha256

import pyarrow as pa

from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clustering.assigning import Clustered, cluster_day
from telefine_assets_tests.benchmarks.results import Result, report

PEER_SAMPLE = 4_000
SYLLABLES = [a + b + c for a in "bcdfghlmnprstvw" for b in "aeiou" for c in ("", "n", "r", "st")]
_FORMS = (
    "Hello, I am customer {number} and ordered {words} on {day} May. {more}. Please help me as soon as you can, "
    "kind regards, {name} {name2}",
    "Ticket {number} / priority {day} / reported by {name} {name2} / device {words} / what happened: {more} / "
    "expected: that it works as it did",
)


def texts(count: int, seed: int = 0) -> Iterator[str]:
    """Different texts of about 250 characters: few words, many words by Zipf's law, and filled-in forms."""
    rng = random.Random(seed)
    few = ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 3))) for _ in range(50)]
    many = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(20_000)]
    weights, total = [], 0.0
    for rank in range(1, len(many) + 1):
        total += 1 / rank
        weights.append(total)

    def words(least: int, most: int) -> str:
        return " ".join(rng.choices(many, cum_weights=weights, k=rng.randint(least, most)))

    for number in range(count):
        match number % 3:
            case 0:
                yield " ".join(rng.choices(few, k=rng.randint(12, 60)))
            case 1:
                yield words(20, 60)
            case _:
                slots = {"number": rng.randrange(10**8), "day": rng.randint(1, 30), "words": words(2, 4)}
                names = {"name": rng.choice(many), "name2": rng.choice(many)}
                yield rng.choice(_FORMS).format(**slots, **names, more=words(10, 25)).casefold()


def crowd(count: int, seed: int = 0) -> Iterator[str]:
    """Texts that are all near-copies of one another."""
    (text,) = texts(1, seed)
    for number in range(count):
        yield f"{text} {text[::-1]} {number}"


def arrivals(count: int, seed: int = 0, written_by: Callable[[int, int], Iterator[str]] = texts) -> pa.Table:
    """A day of texts, every third of them in a session of three."""
    written = pa.array(written_by(count, seed), pa.string())
    sessions = [f"session {seed} {number // 9}" if number % 3 == 0 else None for number in range(count)]
    return pa.table(
        {
            "trace_id": pa.array([f"tr-{seed}-{number}" for number in range(count)]),
            "arrival_ms": pa.array(range(seed * 86_400_000, seed * 86_400_000 + count), pa.int64()),
            "content": pa.array([sha256(text.as_py().encode()).hexdigest() for text in written]),
            "text": written,
            "session": pa.array(sessions, pa.string()),
        }
    )


def cleaned(table: pa.Table, seed: int = 0, index: list[pa.Table] | None = None) -> tuple[Clustered, float]:
    """A day and its seconds, with its pairs printed."""
    started = time.perf_counter(), time.process_time()
    done = cluster_day(table, f"day {seed}", index or [], None, NearDuplicateSettings(), side_of)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(table):,} texts, {len(index or [])} days of index: {wall:.1f} s ({cpu:.1f} s of CPU), "
        f"peak {peak:.0f} MB, {done.compared:,} pairs compared, "
        f"{len(set(done.rows['cluster'].to_pylist())):,} clusters, {sum(done.rows['straddles'].to_pylist()):,} straddle"
    )
    return done, wall


def side_of(group: str) -> str:
    """Three sides, 20 % and 30 % and the rest."""
    share = int(group[:8], 16) / 2**32
    return "holdout" if share < 0.3 else "validation" if share < 0.5 else "train"


def peer(count: int) -> float:
    """The same signatures, but looked up one by one in datasketch's index, as its guide shows it: the seconds."""
    from datasketch import MinHash, MinHashLSH

    written = list(texts(count))
    started = time.perf_counter()
    index, pairs = MinHashLSH(threshold=0.85, num_perm=256), 0
    for number, text in enumerate(written):
        signature = MinHash(num_perm=256)
        signature.update_batch(text[at : at + 5].encode() for at in range(len(text) - 4))
        pairs += len(index.query(signature))
        index.insert(number, signature)
    return time.perf_counter() - started


def main(count: int = 100_000, days: int = 0) -> Iterator[Result]:
    """Measure a day, a further one against ``days`` of index, a crowd of near-copies, and the peer."""
    first, seconds = cleaned(arrivals(count))
    their_seconds = peer(sample := min(count, PEER_SAMPLE)) / sample * count
    limit = 25 * max(1, count / 100_000)
    yield Result(f"{count:,} texts clustered", seconds, "s", limit, "datasketch MinHashLSH", their_seconds)
    if days:
        same = [first.index, *(cleaned(arrivals(count, day), day)[0].index for day in range(1, min(days, 6)))]
        _, seconds = cleaned(arrivals(count, days), days, [same[day % len(same)] for day in range(days)])
        yield Result(f"{count:,} texts clustered after {days} such days", seconds, "s")
    _, seconds = cleaned(arrivals(count, 0, crowd))
    yield Result(f"{count:,} near-copies of one text clustered", seconds, "s")


if __name__ == "__main__":
    report(main)
