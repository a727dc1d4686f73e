"""How far runs are, without reading their programs; after :mod:`fairnad_engine.store.schema_proposals`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_proposals import migrations as migrations


@migrations()
def m016_progress(db: Database) -> None:
    """An index that answers how many candidates of a run ended how, and with what score, and which a slot made.

    A candidate's program lies before its score in its row, so that without this each row is read whole.
    """
    columns = ["run_id", "generation", "slot", "status", "accuracy"]
    db.table("candidates").create_index(columns, index_name="idx_candidates_progress")
