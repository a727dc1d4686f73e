"""Latency as an objective; after :mod:`fairnad_engine.store.schema_progress`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_progress import migrations as migrations


@migrations()
def m021_latency(db: Database) -> None:
    """Milliseconds of a pass, of candidates whose run selects by it; empty in every other run."""
    db.table("candidates").add_column("latency", float)
