"""Prompts of model calls, and what makes a reply usable again; after :mod:`fairnad_engine.store.schema_lineage`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_lineage import migrations as migrations


@migrations()
def m012_model_prompts(db: Database) -> None:
    """Each prompt once, by its hash, compressed; calls of older workspaces have none."""
    db.table("model_prompts").create({"hash": str, "text": bytes}, pk="hash", not_null={"text"})
    db.table("model_calls").create_index(["prompt_hash"])


@migrations()
def m013_kept_replies(db: Database) -> None:
    """Hash of everything that decides a reply; older calls have none and are not used again."""
    db.table("model_calls").add_column("request", str)
    db.table("model_calls").add_column("finished", int, not_null_default=1)
    db.execute("CREATE INDEX idx_model_calls_request ON model_calls(request) WHERE request IS NOT NULL")
