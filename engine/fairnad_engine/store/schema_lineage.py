"""The tables beside a run's archive; a migration that follows those of :mod:`fairnad_engine.store.schema_studies`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_studies import migrations as migrations


@migrations()
def m011_lineage(db: Database) -> None:
    """Networks that belong to a run and not to its archive, and scores in NADER's manner.

    ``side_models`` are no candidates: no selection, count, front or digest reads them. ``test_columns`` lies, like
    ``test_results``, where selection code is given no way to.
    """
    columns = {column.name: column.type for column in db.table("candidates").columns}
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    db.execute(
        f"""CREATE TABLE side_models ({declared}, PRIMARY KEY (run_id, id),
            FOREIGN KEY (run_id) REFERENCES runs(id))"""
    )
    db.table("test_columns").create(
        {
            "run_id": str,
            "candidate_id": str,
            "seed": int,
            "kind": str,
            "generation_seen": int,
            "epoch": int,
            "accuracy": float,
            "last_accuracy": float,
            "images": int,
            "protocol": str,
            "at": str,
        },
        pk=("run_id", "candidate_id", "seed", "kind"),
        foreign_keys=[("run_id", "runs", "id")],
    )
