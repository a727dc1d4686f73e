"""Opening a workspace file: where it lies, which version it is, and how it is written."""

from __future__ import annotations

import datetime
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from fairnad_engine import clock
from fairnad_engine.errors import StoreError
from fairnad_engine.store.faults import WatchedConnection, explain
from fairnad_engine.store.schema_faults import migrations

_BUSY_MILLISECONDS = 10_000
# File systems on which SQLite's write-ahead log is not safe.
_NETWORK_TYPES = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "9p",
        "afs",
        "fuse.sshfs",
        "fuse.glusterfs",
    ]
)


def now() -> str:
    """Return the current time as ISO 8601 in UTC."""
    return datetime.datetime.fromtimestamp(clock.now(), datetime.UTC).isoformat(timespec="milliseconds")


def open_database(path: Path) -> Database:
    """Open, and where needed create or migrate, a workspace file.

    An older file is copied to ``<name>.before-<migration>.bak`` before it is migrated.

    Raises:
        StoreError: The file is no workspace, is newer than this program, locked, or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=_BUSY_MILLISECONDS / 1000, isolation_level=None, factory=WatchedConnection
        )
        connection.path = path
        database = Database(connection)
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        applied = _applied(database, path)
        _set_up(connection, path)
        _migrate(database, path, applied)
    except sqlite3.DatabaseError as error:
        raise explain(path, error) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; choose another place with --db FILE") from error
    return database


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    journal = "DELETE" if file_system_type(path.parent) in _NETWORK_TYPES else "WAL"
    if connection.execute("PRAGMA journal_mode").fetchone()[0].upper() != journal:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _applied(database: Database, path: Path) -> set[str]:
    """The migrations that a file has; read before anything of it is changed, its journal included.

    Raises:
        StoreError: It is another program's, or a newer version's.
    """
    known = {migration.name for migration in migrations._migrations}
    tables = set(database.table_names())
    applied = {migration.name for migration in migrations.applied(database)}
    if tables and not applied:
        raise StoreError(f"{path}: is an SQLite file but no fairnad workspace; choose another with --db FILE")
    if applied - known:
        raise StoreError(
            f"{path}: was written by a newer fairnad-tui (it has {min(applied - known)}); upgrade the program"
        )
    return applied


def _migrate(database: Database, path: Path, applied: set[str]) -> None:
    pending = migrations.pending(database)
    if not pending:
        return
    if applied:
        backup = path.with_name(f"{path.name}.before-{pending[0].name}.bak")
        target = sqlite3.connect(backup)
        database.conn.backup(target)
        target.close()
    migrations.apply(database)


def file_system_type(folder: Path) -> str:
    """Return the type of the file system that holds ``folder``, as ``/proc/mounts`` names it."""
    target = os.path.realpath(folder)
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, mount, type_, *_ = line.split(" ")
        mount = mount.replace("\\040", " ")
        if (target == mount or target.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, type_
    return kind


@contextmanager
def snapshot(database: Database) -> Iterator[None]:
    """Let the reads inside see one state; inside a transaction they do already."""
    connection = database.conn
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        _roll_back(connection)


@contextmanager
def transaction(database: Database) -> Iterator[None]:
    """Make the statements inside all happen or none; nested uses join the outer one."""
    connection = database.conn
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that is still open; a full disk and the like have SQLite end it by itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
