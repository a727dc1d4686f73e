"""Where derived ideas come from; after :mod:`fairnad_engine.store.schema_weights`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_weights import migrations as migrations


@migrations()
def m018_derived(db: Database) -> None:
    """One row for each backbone that a derived idea came to; it stays when its run is deleted, as the idea does."""
    db.table("idea_ancestry").create(
        {"idea_id": str, "run_id": str, "candidate_id": str, "parent_id": str, "kind": str, "from_id": str},
        pk=("idea_id", "run_id", "candidate_id"),
        not_null={"parent_id", "kind"},
        foreign_keys=[("idea_id", "ideas", "id")],
    )
