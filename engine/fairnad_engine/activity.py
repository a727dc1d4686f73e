"""What a worker is doing now, for whoever looks on."""

from __future__ import annotations

import json
from pathlib import Path

from fairnad_engine.artifacts import write_atomically


class Activity:
    """What each candidate or paper is going through now, for whoever looks on: a small file, rewritten as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now: dict[str, str] = {}
        self._dirty = True

    def __call__(self, subject: str, doing: str) -> None:
        """Note what a subject is going through; empty text ends it."""
        if doing:
            self._now[subject] = doing
        else:
            self._now.pop(subject, None)
        self._dirty = True

    def flush(self) -> None:
        """Write the file if something changed.

        Raises:
            OSError: It cannot be written; the next call tries again.
        """
        if self._dirty:
            self._dirty = False
            try:
                # A copy, because it is written in another thread than it is changed in.
                write_atomically(self._path, json.dumps(dict(self._now)).encode())
            except OSError:
                self._dirty = True
                raise
