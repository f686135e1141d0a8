"""Takes Monday's look in a process of its own, which a test may kill: ``python -m ... FOLDER API_BASE GATE``."""

import sys
from pathlib import Path

from telefine_assets.canonical import canonical_json
from telefine_assets_tests.knn_lm import KnnLm
from telefine_assets_tests.programs.examples import tickets_spec

from .house import House
from .metrics import HERE

IN_FLIGHT = 4
NAMES = ("record.json", "report.md", "report.html", "figure.png")


def look(folder: Path, api_base: str, gate: str) -> None:
    """Report the day, and leave what came of it in ``folder``; scoring waits while the file ``gate`` exists."""
    spec = tickets_spec(metric={"name": "function", "path": f"{HERE}:gated", "options": {"gate": gate}})
    report = House(folder, KnnLm(api_base)).report(spec=spec, calls_in_flight=IN_FLIGHT)
    documents = (canonical_json(report.record), report.markdown.encode(), report.html, report.figure)
    for name, document in zip(NAMES, documents, strict=True):
        (folder / name).write_bytes(document)


if __name__ == "__main__":
    look(Path(sys.argv[1]), *sys.argv[2:])
