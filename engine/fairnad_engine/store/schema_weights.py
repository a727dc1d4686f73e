"""Of which weights a model's replies are; after :mod:`fairnad_engine.store.schema_proposals`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_proposals import migrations as migrations


@migrations()
def m017_weights(db: Database) -> None:
    """Digest of the weights for each call, and of a job's model; those of older workspaces do not say."""
    db.table("model_calls").add_column("digest", str, not_null_default="")
    db.table("jobs").add_column("model_digest", str, not_null_default="")
