"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """A path with ``~`` and ``~user`` resolved; one of a user that is not there stays as it is written."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or none whose home is known
        return Path(path)
