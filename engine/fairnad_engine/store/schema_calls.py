"""Prompts of model calls; a migration that follows those of :mod:`fairnad_engine.store.schema_lineage`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_lineage import migrations as migrations


@migrations()
def m012_model_prompts(db: Database) -> None:
    """Each prompt once, by its hash, compressed; calls of older workspaces have none."""
    db.table("model_prompts").create({"hash": str, "text": bytes}, pk="hash", not_null={"text"})
    db.table("model_calls").create_index(["prompt_hash"])
