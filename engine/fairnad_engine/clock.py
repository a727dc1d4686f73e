"""The clock of the store and the screens: one place to read it, so that a test can make it stand still.

Deadlines and measured durations read ``time.monotonic`` where they stand; nothing of them is kept or shown.
"""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def steady() -> float:
    """Seconds of a clock that only grows, for spans within this process."""
    return time.monotonic()
