"""Completing the path of a paper while it is typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.suggester import Suggester

from fairnad_engine.knowledge.papers import SUFFIXES

SAMPLES = "samples"
_MOST_ENTRIES = 5000  # A folder with more is not looked through for each key.


class PathSuggester(Suggester):
    """Completes to the first folder, or file of a kind that is read, in order of names."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """See :class:`Suggester`."""
        return await asyncio.to_thread(complete, value)


def complete(typed: str) -> str | None:
    """What a typed path may become, or None."""
    if len(typed) >= 2 and SAMPLES.startswith(typed):
        return SAMPLES
    folder, separator, start = typed.rpartition("/")
    if not typed or typed == "~":
        return None
    try:
        place = Path(f"{folder}{separator}" or ".").expanduser()
        found = []
        for number, entry in enumerate(place.iterdir()):
            if number == _MOST_ENTRIES:
                break
            hidden = entry.name.startswith(".") and not start.startswith(".")
            if entry.name.startswith(start) and not hidden and entry.name.isprintable():
                found.append(entry)
        for entry in sorted(found):
            if entry.is_dir():
                return f"{folder}{separator}{entry.name}/"
            if entry.suffix.lower() in SUFFIXES:
                return f"{folder}{separator}{entry.name}"
    except (OSError, RuntimeError, ValueError):
        return None
    return None
