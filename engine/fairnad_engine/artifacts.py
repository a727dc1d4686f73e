"""Content-addressed files beside the store: graphs, weights, sources too large for a row.

A file is written under a temporary name, flushed to disk and renamed, before any row names it; so a row never names a
file that is not whole, and a file that no row names is only wasted space.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from pathlib import Path

from fairnad_engine.errors import DamagedStoreError, DiskFullError, StoreError, UnreachableStoreError
from fairnad_engine.faults import NO_ROOM


class ArtifactFolder:
    """A folder of files named by the SHA-256 of their content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes, suffix: str) -> str:
        """Store ``data`` and return its name, for example ``3f/3fa9….safetensors``.

        Raises:
            StoreError: The disk is full, or the folder cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        name = f"{digest[:2]}/{digest}{suffix}"
        path = self.root / name
        try:
            if not path.exists():
                write_atomically(path, data)
        except OSError as error:
            raise _explain(path, error) from error
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
            raise UnreachableStoreError(f"{path}: {error.strerror}; restore the folder from a backup") from error
        if hashlib.sha256(data).hexdigest() != path.name.partition(".")[0]:
            raise DamagedStoreError(f"{path}: content does not match its name; restore it from a backup")
        return data

    def is_whole(self, name: str) -> bool:
        """Whether a file is there and has the content that its name says.

        Raises:
            UnreachableStoreError: It is there and cannot be read, which says nothing about its content.
        """
        try:
            self.get(name)
        except UnreachableStoreError:
            if self.path(name).exists():
                raise
            return False
        except StoreError:
            return False
        return True

    def discard(self, name: str) -> None:
        """Remove a damaged file, so that it can be stored again.

        Raises:
            StoreError: The folder cannot be written.
        """
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise _explain(self.path(name), error) from error

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.root / name


def _explain(path: Path, error: OSError) -> StoreError:
    if error.errno in NO_ROOM:
        return DiskFullError(f"{path}: the disk is full; free some space there, then resume")
    return UnreachableStoreError(f"{path}: {error.strerror}; see that its folder is there and writable, then resume")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or none: out of sight, flush to disk, rename.

    Where the system can, the file has no name until it is whole, so that a process that is killed leaves nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".writing-{secrets.token_hex(8)}"
    try:
        handle = _open_nameless(path.parent)
        nameless = handle is not None
        if handle is None:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if nameless:
                # With a descriptor, whichever, this is linkat(), which follows the link to the open file.
                os.link(f"/proc/self/fd/{file.fileno()}", temporary, src_dir_fd=file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open_nameless(folder: Path) -> int | None:
    """Open a file that has no name yet; None where the file system or the system has no such thing."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            return None
        raise
