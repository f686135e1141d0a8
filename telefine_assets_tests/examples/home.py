"""An example's folder as a user copies it, and the commands that he runs there."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from telefine_assets_tests.test_docs import ROOT

EXAMPLES = ROOT / "docs" / "examples"
PROGRAMS = EXAMPLES / "programs"
NAMES = ("classification", "extraction", "rag", "agent")
DAY = "2026-03-02"
KEY = "0x" + "4c" * 32


@contextmanager
def local_lm() -> Iterator[str]:
    """The examples' own stand-in for a language model, on a free port; gives its address."""
    spec = importlib.util.spec_from_file_location("local_lm", PROGRAMS / "local_lm.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = ThreadingHTTPServer(("127.0.0.1", 0), module.Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Home:
    """A copy of an example."""

    folder: Path

    @property
    def name(self) -> str:
        """The example's, which is also its program's."""
        return self.folder.name

    @property
    def environment(self) -> dict[str, str]:
        """What a shell there has, besides what any has."""
        return {
            "TELEFINE_CONFIG": str(self.folder / "telefine.yaml"),
            "TELEFINE_SIGNER__PRIVATE_KEY": KEY,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{self.folder}",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "COLUMNS": "200",
        }

    def run(self, *command: str | Path) -> str:
        """Run a command there to its good end; returns what it printed."""
        taken = ("PYTHONDONTWRITEBYTECODE", "DAGSTER_", "TELEFINE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(taken)}
        done = subprocess.run(
            command, cwd=self.folder, env=kept | self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def record(self, stage: str) -> dict[str, Any]:
        """What a stage stored."""
        return dict(json.loads((self.store / "records" / self.name / stage / f"{DAY}.json").read_text()))

    def rows(self) -> list[dict[str, Any]]:
        """The cleaned traces."""
        import pyarrow.parquet as pq

        return list(pq.read_table(self.store / "tables" / self.name / "cleaned_traces" / f"{DAY}.parquet").to_pylist())

    @property
    def store(self) -> Path:
        """Where tables and records are."""
        return self.folder / ".telefine" / "store"


def copied(name: str, folder: Path, lm: str) -> Home:
    """A copy of the example whose settings name another address of the model."""
    shutil.copytree(PROGRAMS / name, folder / name)
    settings = folder / name / "telefine.yaml"
    settings.write_text(settings.read_text().replace("http://127.0.0.1:8089", lm))
    return Home(folder / name)
