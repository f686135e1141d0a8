"""What a trace costs as days grow: loaded, looked over for changes, and cleaned, from a thousand to a million.

Run: python -m telefine_assets_tests.benchmarks.scaling [largest]
Limit: at the largest size a trace costs at most 1.2 times what it costs at a tenth of it. A
store of a million traces takes ten minutes to write and several gigabytes; it is
kept in the temporary folder and used again.
"""

from collections.abc import Iterator

from telefine_assets_tests.benchmarks import cleaning, loading
from telefine_assets_tests.benchmarks.measuring import Measured, measured, store_of
from telefine_assets_tests.benchmarks.results import Result, report

SMALLEST = 1_000


def load(size: int) -> Measured:
    """Load a day of ``size`` traces."""
    return measured(loading.HERE, "ours", store_of(size))


def look(size: int) -> Measured:
    """Look for what changed among ``size`` traces."""
    return measured(loading.HERE, "fingerprints", store_of(size))


def clean(size: int) -> Measured:
    """Clean a day of ``size`` traces."""
    measured(cleaning.HERE, "stored", size)
    return measured(cleaning.HERE, "ours", size)


def main(largest: int = 1_000_000) -> Iterator[Result]:
    """Measure each at each size."""
    sizes = [SMALLEST]
    while sizes[-1] * 10 <= largest:
        sizes.append(sizes[-1] * 10)
    for series, call in (("loading", load), ("change detection", look), ("cleaning", clean)):
        before = None
        for size in sizes:
            each = call(size).seconds / size * 1e6
            limit = 1.2 * before if before and size == sizes[-1] else None
            yield Result(f"{series}: a trace of {size:,}", each, "µs", limit, size=size, series=series)
            before = each


if __name__ == "__main__":
    report(main)
