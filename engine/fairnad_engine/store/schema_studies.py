"""Tables of studies: methods by seeds over one configuration, each cell an ordinary run."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema import migrations as migrations


@migrations()
def m009_studies(db: Database) -> None:
    """Studies as they were first started, and which run belongs to which method and seed of one.

    A run that is deleted takes its row along, so that the study starts that cell anew.
    """
    db.table("studies").create(
        {"name": str, "config_json": str, "created_at": str}, pk="name", not_null={"config_json", "created_at"}
    )
    db.table("study_runs").create(
        {"study": str, "method": str, "seed": int, "run_id": str},
        pk=("study", "method", "seed"),
        not_null={"run_id"},
        foreign_keys=[("study", "studies", "name"), ("run_id", "runs", "id")],
    )
    db.table("study_runs").create_index(["run_id"])


@migrations()
def m010_shared_scores(db: Database) -> None:
    """Trainings whose scores other runs may take over, by everything that decides a score."""
    db.table("shared_scores").create(
        {"key": str, "run_id": str, "candidate_id": str, "purpose": str, "seed": int},
        pk="key",
        not_null={"run_id", "candidate_id", "purpose", "seed"},
        foreign_keys=[("run_id", "runs", "id")],
    )
    db.table("shared_scores").create_index(["run_id"])
