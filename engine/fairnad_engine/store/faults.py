"""What SQLite reports about the disk and the file, as errors with a remedy: wherever a statement is run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairnad_engine.errors import (
    DamagedStoreError,
    DiskFullError,
    LeaseLostError,
    StoreError,
    UnreachableStoreError,
)

LEASE_LOST = "lease lost"  # what the triggers of a fence raise
_PRIMARY = 0xFF  # an extended result code carries the primary one in its lowest byte
# Only these are translated; the others are the statement's own, and sqlite-utils answers some of them.
_FAULTS = frozenset(
    [
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    ]
)

# How SQLite reports a full disk where it makes or maps a file beside the store.
_ALSO_OF_A_FULL_DISK = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def explain(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """The error of the store that a database error stands for."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    text = str(error)
    if text == LEASE_LOST:
        return LeaseLostError(f"{path}: lease lost: another process has taken this job over; this one ends")
    if code == sqlite3.SQLITE_FULL or (code in _ALSO_OF_A_FULL_DISK and _has_no_room(path.parent)):
        return DiskFullError(f"{path}: the disk is full; free some space there, then resume")
    if code == sqlite3.SQLITE_NOTADB:
        return DamagedStoreError(f"{path}: is not a workspace file; choose another with --db FILE")
    if code == sqlite3.SQLITE_CORRUPT:
        return DamagedStoreError(f"{path}: is damaged ({text}); restore it from a backup")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return UnreachableStoreError(
            f"{path}: cannot be opened for writing; check its folder's permissions or choose another with --db FILE"
        )
    if code == sqlite3.SQLITE_IOERR:
        return UnreachableStoreError(f"{path}: {text}; check that its disk is there and sound, then resume")
    if code == sqlite3.SQLITE_BUSY:
        return StoreError(f"{path}: is locked by another program; close it or wait, then try again")
    return StoreError(f"{path}: {text}; check the disk, or choose another with --db FILE")


def _has_no_room(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail == 0 or (found.f_files > 0 and found.f_favail == 0)


class WatchedConnection(sqlite3.Connection):
    """A connection whose statements raise a :class:`StoreError` where disk or file are at fault.

    Attributes:
        path: The file, for messages.
    """

    path = Path()

    def cursor(self, *_: Any) -> sqlite3.Cursor:  # type: ignore[override]  # noqa: ANN401 - as in sqlite3
        """Return a cursor."""
        return super().cursor(_WatchedCursor)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as in sqlite3
        """Run a statement; the base class would do it with a cursor of its own kind."""
        return self.cursor().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as in sqlite3
        """Run a statement for each row."""
        return self.cursor().executemany(*arguments)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Translate what is raised inside."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _is_fault(error):
                raise explain(self.path, error) from error
            raise


def _is_fault(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _FAULTS or str(error) == LEASE_LOST


class _WatchedCursor(sqlite3.Cursor):
    connection: WatchedConnection

    def execute(self, *arguments: Any) -> sqlite3.Cursor:  # type: ignore[override]  # noqa: ANN401 - as in sqlite3
        with self.connection.watched():
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:  # type: ignore[override]  # noqa: ANN401 - as in sqlite3
        with self.connection.watched():
            return super().executemany(*arguments)

    def fetchone(self) -> Any:  # noqa: ANN401 - as in sqlite3
        with self.connection.watched():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with self.connection.watched():
            return super().fetchall()

    def __next__(self) -> Any:  # noqa: ANN401 - as in sqlite3
        try:  # not the context manager: a list of ideas takes this path thousands of times
            return super().__next__()
        except sqlite3.DatabaseError as error:
            if _is_fault(error):
                raise explain(self.connection.path, error) from error
            raise
