"""A program that is very slow to build, so that a run of its first stage can be looked at while it goes on."""

import time


def build():
    """Take a minute, and then fail."""
    time.sleep(60)
    raise RuntimeError("nobody stopped it")
