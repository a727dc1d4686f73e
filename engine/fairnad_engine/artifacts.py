"""Content-addressed files beside the store: graphs, weights, sources too large for a row.

A file is written under a temporary name, flushed to disk and renamed, before any row names it; so a row never names a
file that is not whole, and a file that no row names is only wasted space.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from fairnad_engine.errors import StoreError


class ArtifactFolder:
    """A folder of files named by the SHA-256 of their content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes, suffix: str) -> str:
        """Store ``data`` and return its name, for example ``3f/3fa9….safetensors``."""
        digest = hashlib.sha256(data).hexdigest()
        name = f"{digest[:2]}/{digest}{suffix}"
        path = self.root / name
        if not path.exists():
            write_atomically(path, data)
        return name

    def get(self, name: str) -> bytes:
        """Return a file's content after checking it against its name.

        Raises:
            StoreError: The file is missing or damaged.
        """
        path = self.path(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = error.strerror
            raise StoreError(f"{path}: {reason}; restore the folder from a backup") from error
        if hashlib.sha256(data).hexdigest() != path.name.partition(".")[0]:
            raise StoreError(f"{path}: content does not match its name; restore it from a backup")
        return data

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.root / name


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or none: temporary name, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
