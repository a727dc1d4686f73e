"""Whether a workspace file is whole, looked at before a job works on it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from fairnad_engine import clock
from fairnad_engine.errors import DamagedStoreError
from fairnad_engine.store.faults import explain
from fairnad_engine.store.filesystem import file_system

CHECK_SECONDS = 10.0
"""A store of a gigabyte is read in less from a disk of its own; a slow one is not held up for more."""

OVER_NETWORK = 64 * 2**20
"""Bytes up to which a store on a network file system is looked through; SQLite heeds no clock within one read."""

_STEPS = 10_000  # of SQLite's machine between two looks at the clock


def check_sound(path: Path, seconds: float = CHECK_SECONDS) -> bool:
    """Look through a workspace file for damage; whether all of it was seen in the time.

    Nothing is looked at of a large one that must come over a network.

    Raises:
        DamagedStoreError: It is damaged.
        StoreError: It cannot be read.
    """
    if file_system(path.parent).network and path.stat().st_size > OVER_NETWORK:
        return False
    until = clock.steady() + seconds
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            opened.set_progress_handler(lambda: clock.steady() > until, _STEPS)
            said = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            return False
        raise explain(path, error) from error
    if said != "ok":
        raise DamagedStoreError(f"{path}: is damaged ({' '.join(str(said).split())})")
    return True
