"""Numbers as columns show them."""

from __future__ import annotations


def compact(number: float) -> str:
    """A count in at most five characters, for example ``30.1k`` or ``357k``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # What would round up to 1000 of a unit is shown in the next one.
        if abs(number) >= 0.9995 * size:
            scaled = number / size
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 99.95 else f"{scaled:.1f}{unit}"
    return f"{number:.0f}"


def ago(seconds: float) -> str:
    """A span of time in words, for example ``3 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
