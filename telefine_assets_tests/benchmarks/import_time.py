"""What importing the code location costs, against importing Dagster alone.

Run: python -m telefine_assets_tests.benchmarks.import_time
Limit: a ratio of 1.3. CPU time is counted, runs alternate, and the least of each
stands, so that a busy neighbour does not decide.
"""

import resource
import subprocess
import sys
from collections.abc import Iterator

from telefine_assets_tests.benchmarks.results import Result, report


def seconds(module: str) -> float:
    """CPU time of a fresh interpreter that imports ``module``."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, capture_output=True)
    return spent() - before


def main(rounds: int = 9) -> Iterator[Result]:
    """Measure by turns."""
    peer, ours = [], []
    for _ in range(rounds):
        peer.append(seconds("dagster"))
        ours.append(seconds("telefine_assets.definitions"))
    yield Result("importing the code location", min(ours), "s", 1.3 * min(peer), "importing Dagster alone", min(peer))


if __name__ == "__main__":
    report(main)
