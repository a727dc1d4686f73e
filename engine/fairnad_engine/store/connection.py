"""Opening a workspace file: where it lies, which version it is, and how it is written."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from fairnad_engine import clock
from fairnad_engine.errors import StoreError
from fairnad_engine.store.faults import WatchedConnection, explain
from fairnad_engine.store.filesystem import file_system
from fairnad_engine.store.schema_costs import migrations

_BUSY_MILLISECONDS = 10_000
_ROLLBACK_FOR_GOOD = 1  # user_version of a store that a network file system holds: no host returns to a log


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
        if file_system(path.parent).network:  # there the first look must be the exclusive one that ends a log
            _set_up(connection, path)
            applied = _applied(database, path)
        else:
            applied = _applied(database, path)
            _set_up(connection, path)
        _migrate(database, path, applied)
        _keep_journal(connection, path)
    except sqlite3.DatabaseError as error:
        raise explain(path, error) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; choose another place with --db FILE") from error
    return database


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    choose_journal(connection, path)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def choose_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Give the store the journal that its file system bears.

    A network file system's own server sees a local disk: it keeps the rollback journal that another host has chosen,
    since a log of its own would damage the file under that host's open connections.

    Raises:
        StoreError: Another process, maybe on another host, has the store open with a write-ahead log.
    """
    if not file_system(path.parent).network:
        if not _is_kept(connection) and connection.execute("PRAGMA journal_mode").fetchone()[0].upper() != "WAL":
            connection.execute("PRAGMA journal_mode = WAL")
        return
    connection.execute("PRAGMA mmap_size = 0")
    if not has_log(path):
        return
    # Asked for before the first look, an exclusive connection keeps the log's index in its own memory.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        connection.execute("PRAGMA journal_mode = DELETE")  # takes in what an earlier life left in its log
    except StoreError as error:
        raise StoreError(
            f"{path}: another process, maybe on another host, has it open with a write-ahead log, which damages it on "
            "a network file system; end that process first, then try again"
        ) from error
    finally:
        connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the lock goes with the next look


def _keep_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Note in a workspace that a network file system holds it."""
    if file_system(path.parent).network and not _is_kept(connection):
        connection.execute(f"PRAGMA user_version = {_ROLLBACK_FOR_GOOD}")


def _is_kept(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == _ROLLBACK_FOR_GOOD)


def has_log(path: Path) -> bool:
    """Whether a store says in its header that it is read with a write-ahead log."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False


def _applied(database: Database, path: Path) -> set[str]:
    """The migrations that a file has; on a local disk read before anything of it is changed, its journal included.

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
