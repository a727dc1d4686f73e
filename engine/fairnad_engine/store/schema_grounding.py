"""How an idea's quote was found in its paper; after :mod:`fairnad_engine.store.schema_calls`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_calls import migrations as migrations


@migrations()
def m014_grounding(db: Database) -> None:
    """How a quote was found, how alike it was, and how the model wrote it; ideas of older workspaces do not say."""
    db.table("ideas").add_column("grounded_by", str, not_null_default="")
    db.table("ideas").add_column("grounding_score", float)
    db.table("ideas").add_column("quote_given", str, not_null_default="")
