"""Lets every Python process that has this folder on its path live at the time of ``SOAK_CLOCK`` (ISO 8601)."""

import os

if os.environ.get("SOAK_CLOCK"):
    import time_machine

    time_machine.travel(os.environ["SOAK_CLOCK"], tick=True).start()
