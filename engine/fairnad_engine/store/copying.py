"""Whole copies of a workspace file, made while others write, and what is put right in one that goes elsewhere."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.store.connection import has_log
from fairnad_engine.store.schema_costs import migrations

_SQLITE = b"SQLite format 3\0"


@contextmanager
def copy_of(source: Path, folder: Path) -> Iterator[Path]:
    """A whole copy of a store under a name of its own, gone at the end unless it was moved."""
    handle, name = tempfile.mkstemp(prefix=".backup-", suffix=".db", dir=folder)
    os.close(handle)
    copy = Path(name)
    try:
        try:
            with (
                closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as opened,
                closing(sqlite3.connect(copy)) as written,
            ):
                # With a log one step is one look, which no writer waits for; in several, each write in between, a beat
                # for instance, would begin the copy anew.
                opened.backup(written, pages=-1 if has_log(source) else 4096, sleep=0.01)
                # The copy is one file: no log beside it.
                written.execute("PRAGMA journal_mode = DELETE")
                # Where it will lie decides anew whether it may have one.
                written.execute("PRAGMA user_version = 0")
            check_whole(copy, source)
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{source}: cannot be copied ({error}); restore it from an earlier backup") from error
        yield copy
    finally:
        for path in (copy, copy.with_name(f"{copy.name}-journal")):
            path.unlink(missing_ok=True)


def check_workspace(path: Path) -> None:
    """Make sure that a file is a workspace, maybe a damaged one, before anything takes its place or it takes another's.

    Raises:
        InputError: It is something else.
    """
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE and _may_be_ours(path):
            return
    raise InputError(f"{path}: is no fairnad workspace; name another file")


def _may_be_ours(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
                return False
            known = "SELECT 1 FROM _sqlite_migrations WHERE migration_set = ?"
            return opened.execute(known, [migrations.name]).fetchone() is not None
    except sqlite3.Error:
        return True  # damaged: nobody can say


def check_whole(copy: Path, source: Path) -> None:
    """Make sure that a copied store is not damaged; ``source`` is named in the message.

    Raises:
        StoreError: It is.
    """
    with closing(sqlite3.connect(copy)) as opened:
        said = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise StoreError(f"{source}: is damaged ({said}); restore it from an earlier backup")


def leave_out(copy: Path) -> None:
    """Take out of a copy what is of this machine alone: leases, and commands that may hold a key."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as opened:
        opened.execute("DELETE FROM leases")
        for table in ("jobs", "runs", "studies"):
            rows = opened.execute(f"SELECT rowid, config_json FROM {table}").fetchall()  # noqa: S608
            for row, config in rows:
                opened.execute(
                    f"UPDATE {table} SET config_json = ? WHERE rowid = ?",  # noqa: S608
                    [json.dumps(_without_commands(json.loads(config)), sort_keys=True), row],
                )
        opened.execute("VACUUM")  # what was taken out is not left in free pages


def _without_commands(config: Any) -> Any:  # noqa: ANN401 - settings as they were stored
    if isinstance(config, dict):
        return {name: "" if name == "on_finish" else _without_commands(value) for name, value in config.items()}
    return config


def lay_down(store: Path, message: str) -> None:
    """Let no job of a copied store claim to be worked on; ``message`` says why it is not."""
    with closing(sqlite3.connect(store, isolation_level=None)) as opened:
        opened.execute("DELETE FROM leases")
        opened.execute(
            "UPDATE jobs SET state = 'stopped', message = ? "
            "WHERE state IN ('running', 'waiting', 'paused', 'stopping', 'queued')",
            [message],
        )


def settle(store: Path, archive: Path) -> None:
    """Make sure that a store of an archive is whole, and that no job of it claims to be worked on."""
    try:
        check_whole(store, archive)
        lay_down(store, "moved here while it was worked on")
    except sqlite3.DatabaseError as error:
        raise InputError(f"{archive}: holds no workspace ({error}); export it again") from error
