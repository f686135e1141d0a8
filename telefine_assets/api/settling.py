"""Libraries that were loaded, left alone by the garbage collector from then on."""

from __future__ import annotations

import gc
import sys

_MANY = 100
"""So many new modules are a library that came in."""
_seen = 0


def settle() -> None:
    """Look at what there is for the last time, if libraries came in since the last call.

    DSPy, Dagster and matplotlib make a million objects that stay. To go through them
    holds up every answer for a quarter of a second, and the collector would do so again
    and again. Only then, though: what is frozen is never freed.
    """
    global _seen
    if len(sys.modules) >= _seen + _MANY:
        _seen = len(sys.modules)
        gc.collect()
        gc.freeze()
