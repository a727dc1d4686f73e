"""Proposed categories of the attribute template; after :mod:`fairnad_engine.store.schema_grounding`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_grounding import migrations as migrations


@migrations()
def m015_template_proposals(db: Database) -> None:
    """What papers suggest, one row for each paper and attribute, and which papers were read for that."""
    db.table("template_proposals").create(
        {
            "id": int,
            "paper_id": str,
            "model": str,
            "level": str,
            "main": str,
            "name": str,
            "definition": str,
            "example": str,
            "quote": str,
            "span_start": int,
            "span_end": int,
            "status": str,
            "at": str,
        },
        pk="id",
        not_null={"paper_id", "model", "level", "main", "name", "status", "at"},
        foreign_keys=[("paper_id", "papers")],
    )
    db.table("template_proposals").create_index(["status"])
    db.table("template_readings").create(
        {"paper_id": str, "stamp": str, "ungrounded": int, "at": str},
        pk=("paper_id", "stamp"),
        not_null={"ungrounded", "at"},
        foreign_keys=[("paper_id", "papers")],
    )


@migrations()
def m016_proposed_mains(db: Database) -> None:
    """What belongs under a new main category, and a second example, since a sub-category has two or three."""
    for column in ("main_definition", "second_example"):
        db.table("template_proposals").add_column(column, str, not_null_default="")
