"""A server with a run that goes on for ever: ``python -m telefine_assets_tests.api.streaming FOLDER``."""

import json
import socket
import sys
from pathlib import Path

import uvicorn

from telefine_assets.cli.serve import _options
from telefine_assets_tests.api.served import Served, small_home


def main(folder: Path) -> None:
    """Say port, run and key, and serve."""
    served = Served(small_home(folder))
    listening = socket.create_server(("127.0.0.1", 0))
    said = [listening.getsockname()[1], served.control.begin(), served.key("read")]
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(served.app, **_options(served.settings))).run([listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
