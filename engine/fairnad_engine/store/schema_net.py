"""Which snapshot of a workspace a file is; after :mod:`fairnad_engine.store.schema_faults`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_faults import migrations as migrations


@migrations()
def m023_snapshots(db: Database) -> None:
    """The number of the newest snapshot, which both files have; one row, none before the first."""
    db.table("snapshots").create({"id": int, "generation": int, "host": str, "at": str}, pk="id")
