"""Completing the path of a file while it is typed: a paper, or settings."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from textual.suggester import Suggester

from fairnad_engine.knowledge.papers import SUFFIXES
from fairnad_engine.places import expanded

SAMPLES = "samples"
_MOST_ENTRIES = 5000  # A folder with more is not looked through for each key.


class PathSuggester(Suggester):
    """Completes to the first folder, or file of a kind that is read, in order of names."""

    def __init__(self, suffixes: Collection[str] = SUFFIXES, named: str = SAMPLES) -> None:
        """Complete to files with certain endings, or to a name that is no path."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes, self._named = suffixes, named

    async def get_suggestion(self, value: str) -> str | None:
        """See :class:`Suggester`."""
        return await asyncio.to_thread(complete, value, self._suffixes, self._named)


def complete(typed: str, suffixes: Collection[str] = SUFFIXES, named: str = SAMPLES) -> str | None:
    """What a typed path may become, or None."""
    if len(typed) >= 2 and named.startswith(typed):
        return named
    folder, separator, start = typed.rpartition("/")
    if not typed or typed == "~":
        return None
    try:
        place = expanded(f"{folder}{separator}" or ".")
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
            if entry.name.lower().endswith(tuple(suffixes)):
                return f"{folder}{separator}{entry.name}"
    except (OSError, ValueError):
        return None
    return None
