"""Measuring in a process of its own: wall time, and the most memory that it held."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A generated store of 100,000 traces takes a minute to write: it is kept here and used again.
STORES = Path(tempfile.gettempdir()) / "telefine-benchmarks"
DAY = "2026-10-01"


@dataclass(frozen=True)
class Measured:
    """What a measured function said of itself."""

    seconds: float
    peak_mb: int
    said: Any


def measured(module: str, function: str, *arguments: Any) -> Measured:
    """Call ``module.function(*arguments)`` in a fresh process; it returns what it says, as JSON."""
    program = (
        "import importlib, json, pathlib, re, sys, time\n"
        "module, function, arguments = json.loads(sys.argv[1])\n"
        "call = getattr(importlib.import_module(module), function)\n"
        "start = time.perf_counter()\n"
        "said = call(*arguments)\n"
        "seconds = time.perf_counter() - start\n"
        # Not ru_maxrss: that starts with what the parent held when it forked.
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]) // 1024\n"
        "print(json.dumps([seconds, peak, said]))\n"
    )
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([module, function, arguments])],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=kept | quiet,
    )
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def store_of(count: int, days: int = 1) -> str:
    """The URI of a store with ``count`` generated traces from ``DAY`` on, made if it is not there yet."""
    from telefine_assets.partitions import bounds_ms
    from telefine_assets_tests.traces.mlflow_store import empty_store, fill

    folder = STORES / f"{count}-traces-{days}-days"
    if not (folder / "ready").exists():
        for stale in folder.glob("mlflow.db*"):
            stale.unlink()
        fill(empty_store(folder), count, bounds_ms(DAY)[0], days)
        (folder / "ready").touch()
    return f"sqlite:///{folder / 'mlflow.db'}"
