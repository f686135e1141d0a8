"""A program that is very slow to build, so that a run of its first stage can be looked at while it goes on."""

import time


def build():
    """Take longer than any test waits, on however busy a machine; and then fail."""
    time.sleep(300)
    raise RuntimeError("nobody stopped it")
