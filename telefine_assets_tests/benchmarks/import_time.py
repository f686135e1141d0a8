"""What importing the code location costs, against importing Dagster alone.

Run: python -m telefine_assets_tests.benchmarks.import_time
Limit: a ratio of 1.3. Runs alternate, and the fastest of each counts, so that a
busy neighbour hurts both.
"""

import subprocess
import sys
import time


def seconds(module: str) -> float:
    """Wall time of a fresh interpreter that imports ``module``."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, capture_output=True)
    return time.perf_counter() - started


def main(rounds: int = 7) -> None:
    """Measure and print."""
    peer, ours = [], []
    for _ in range(rounds):
        peer.append(seconds("dagster"))
        ours.append(seconds("telefine_assets.definitions"))
    ratio = min(ours) / min(peer)
    print(f"dagster {min(peer):.2f} s, telefine_assets.definitions {min(ours):.2f} s, ratio {ratio:.2f} (limit 1.30)")


if __name__ == "__main__":
    main()
