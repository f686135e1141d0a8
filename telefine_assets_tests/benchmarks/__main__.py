"""All benchmarks, one after the other: ``make bench``; or those that are named, as ``make bench ONLY="api spool"``.

Each runs in a process of its own. What it found is kept in ``.telefine/benchmarks`` under the
state of the source, so that a run that was stopped goes on where it stopped; then the table
and the figure of all of them are written into ``docs``.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from telefine_assets_tests.benchmarks import drawing, results, surroundings

REPOSITORY = Path(__file__).parents[2]
BENCHMARKS = (
    "import_time",
    "loading",
    "http_loading",
    "cleaning",
    "clustering",
    "ranges",
    "scaling",
    "growth",
    "compile_overhead",
    "bootstrapping",
    "deltaone",
    "shapley",
    "spool",
    "payouts",
    "api",
    "cluster",
    "whole_line",
    "racing",
    "soak",
)


def main(names: Sequence[str]) -> None:
    """Measure those of ``names`` that are not measured yet of this source, and write down all that is measured."""
    if unknown := sorted({*names} - {*BENCHMARKS}):
        sys.exit(f"no benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    machine = surroundings.found(REPOSITORY)
    kept = REPOSITORY / ".telefine" / "benchmarks" / machine.source
    kept.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names, 1):
        print(f"\n{number} of {len(names)}: {name}", flush=True)
        if (done := kept / f"{name}.json").exists():
            print("measured already; remove", done.relative_to(REPOSITORY), "to measure it again")
            continue
        subprocess.run(
            [sys.executable, "-m", f"{__package__}.{name}"], env=os.environ | {results.INTO: str(done)}, check=False
        )
    found = {name: results.read(kept / f"{name}.json") for name in BENCHMARKS}
    (REPOSITORY / "docs" / "benchmarks.md").write_text(drawing.table(found, machine))
    drawing.figure(found, REPOSITORY / "docs" / "benchmarks.png")
    if missing := [name for name in names if not found[name]]:
        sys.exit(f"no result: {', '.join(missing)}; run it again")
    if broken := [row.what for rows in found.values() for row in rows if not row.within]:
        sys.exit(f"beyond the limit: {'; '.join(broken)}")


if __name__ == "__main__":
    main(sys.argv[1:] or BENCHMARKS)
