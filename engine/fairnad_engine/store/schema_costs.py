"""What a run has cost, without reading its texts; after :mod:`fairnad_engine.store.schema_reservations`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_reservations import migrations as migrations

_COSTS = {
    "ideas": ("status", "origin"),
    "attempts": ("run_id", "generation", "slot", "step", "attempt", "failure", "design_seconds", "verify_seconds"),
    "evaluations": ("run_id", "candidate_id", "purpose", "seconds"),
}
_PROGRESS = ("run_id", "generation", "slot", "step", "status", "accuracy", "edit_type", "params", "id")


@migrations()
def m025_costs(db: Database) -> None:
    """Indexes that hold whatever the counts of ideas and the ledger's sums read, so that no row is read for them.

    That of a run's progress is replaced by a longer one. The columns that every question gives come first, and in the
    order of the places of a run: with others first SQLite, which keeps no statistics here, answers one question by
    comparing all pairs.
    """
    for table, columns in _COSTS.items():
        db.table(table).create_index(columns, index_name=f"idx_{table}_costs")
    db.execute("DROP INDEX idx_candidates_progress")
    db.table("candidates").create_index(_PROGRESS, index_name="idx_candidates_progress")
