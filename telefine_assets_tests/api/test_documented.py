"""The commands of docs/api.md do what is written there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from telefine_assets_tests.api.served import small_home
from telefine_assets_tests.test_docs import ROOT, blocks
from telefine_assets_tests.traces.mlflow_server import free_port

WAITS = "until curl -s http://127.0.0.1:8400/v1/health; do sleep 0.1; done"
ENDS = "trap 'kill %1; wait' EXIT"


def test_the_commands_of_the_guide_to_the_api_do_what_it_says(tmp_path):
    """The guide's own lines, at a port that is free, with a pause in which the server begins."""
    small_home(tmp_path)
    lines = "\n".join(blocks(ROOT / "docs" / "api.md", "bash"))
    assert {"keys create", "serve", "spool status"} <= {*re.findall(r"telefine (keys \w+|spool \w+|\w+)", lines)}
    begun = re.sub(r"(telefine serve .*&)\n", rf"\1\n{ENDS}\n{WAITS}\n", lines)
    script = f"set -eu\n{begun}\n".replace("8400", str(free_port())).replace("curl ", "curl -sS --fail ")
    done = subprocess.run(
        ["bash", "-c", script], env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=120
    )
    assert '"program":"triage"' in done.stdout, done.stderr
    assert '"accepted":1' in done.stdout
    assert re.search(r"triage\s+1\s+1", done.stdout)
    assert 'telefine_spool_waiting_traces{program="triage"} 1.0' in done.stdout
    assert "Traceback" not in done.stderr


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TELEFINE_", "DAGSTER_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "TELEFINE_CONFIG": str(home / "telefine.yaml"), "COLUMNS": "100"}
    return kept | own
