"""The examples' own log_traces.py for several folders, in one process and on a day of its own.

Run in a process of its own: ``python -m telefine_assets_tests.examples.production FOLDER...``.
"""

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telefine_assets_tests.examples.home import DAY, PROGRAMS


def main(folders: list[Path]) -> None:
    """Serve and assess each folder's data."""
    import time_machine

    spec = importlib.util.spec_from_file_location("log_traces", PROGRAMS / "log_traces.py")
    log_traces = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(log_traces)
    noon = datetime.fromisoformat(DAY).replace(hour=12, tzinfo=UTC)
    for number, folder in enumerate(folders):
        with time_machine.travel(noon + timedelta(hours=number), tick=True):
            log_traces.serve(folder)


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
