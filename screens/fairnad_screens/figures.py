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


def size(count: float) -> str:
    """Bytes, for example ``12 MB``."""
    for unit, big in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= big:
            return f"{count / big:.1f} {unit}" if count < 9.95 * big else f"{count / big:,.0f} {unit}"
    return f"{count / 1e3:.0f} kB"


def span(seconds: float) -> str:
    """A span of time in at most eight characters, for example ``48 s``, ``2.5 h`` or ``12 days``."""
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            number = seconds / size
            return f"{number:.0f} {unit}" if number >= 9.95 else f"{number:.1f} {unit}"
    return f"{seconds:.0f} s"


def ago(seconds: float) -> str:
    """A span of time in words, for example ``3 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
