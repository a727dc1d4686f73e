"""How far runs are, without reading their programs; after :mod:`fairnad_engine.store.schema_leases`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_leases import migrations as migrations


@migrations()
def m020_progress(db: Database) -> None:
    """An index that answers how many candidates of a run ended how, with what score, of which slot and type of edit.

    A candidate's program lies before its score in its row, so that without this each row is read whole.
    """
    columns = ["run_id", "generation", "slot", "status", "accuracy", "edit_type"]
    db.table("candidates").create_index(columns, index_name="idx_candidates_progress")
