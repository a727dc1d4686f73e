"""Whose a lease is, and that it is still beaten; after :mod:`fairnad_engine.store.schema_derived`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_derived import migrations as migrations


@migrations()
def m019_leases(db: Database) -> None:
    """A token of each taking of a lease, which its holder must show, and a count of its beats."""
    db.table("leases").add_column("token", str)
    db.execute("ALTER TABLE leases ADD COLUMN beats INTEGER NOT NULL DEFAULT 0")
