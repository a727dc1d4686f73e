"""Which fault ended a job; after :mod:`fairnad_engine.store.schema_latency`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_latency import migrations as migrations


@migrations()
def m022_faults(db: Database) -> None:
    """The name that the fault has in :mod:`fairnad_engine.faults`; empty for none."""
    db.execute("ALTER TABLE jobs ADD COLUMN fault TEXT NOT NULL DEFAULT ''")
