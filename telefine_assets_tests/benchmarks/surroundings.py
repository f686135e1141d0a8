"""Where and of what a benchmark was run."""

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("dagster", "mlflow", "dspy", "duckdb", "pandas", "pyarrow", "scipy", "datasketch", "sqlalchemy")


@dataclass(frozen=True)
class Machine:
    """What a number cannot be compared without.

    Attributes:
        source: the commit, with ``-changed`` where files differ from it.
        date: of that commit (YYYY-MM-DD).
        processor: its name, and how many of its cores there are.
        memory_gb: in GiB.
        python: interpreter and system.
        packages: versions by name.
    """

    source: str
    date: str
    processor: str
    memory_gb: int
    python: str
    packages: dict[str, str]


def found(repository: Path) -> Machine:
    """This machine, and the source in ``repository``."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    # The documents are what the benchmarks write.
    changed = "-changed" if git("status", "--porcelain", "--", ".", ":!docs") else ""
    return Machine(
        source=git("rev-parse", "--short=12", "HEAD") + changed,
        date=git("log", "-1", "--format=%cs"),
        processor=f"{_processor()}, {os.cpu_count()} cores",
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        python=f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        packages={name: version(name) for name in PACKAGES},
    )


def _processor() -> str:
    names = (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return next(names, "unknown:unknown").partition(":")[2].strip()
