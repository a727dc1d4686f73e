"""The tables of a workspace, as numbered migrations. A published migration is never edited; a new one follows it.

Times are ISO 8601 in UTC, accuracies percent, sizes counts. Columns whose name ends in ``_json`` hold JSON.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("fairnad")


@migrations()
def m001_knowledge(db: Database) -> None:
    """Papers, the attribute template, ideas with their history."""
    db.table("papers").create(
        {
            "id": str,
            "title": str,
            "authors_json": str,
            "year": int,
            "venue": str,
            "arxiv": str,
            "abstract": str,
            "text": str,
            "sections_json": str,
            "source": str,
            "added_at": str,
            "relevant": int,
            "reason": str,
            "screened_by": str,
            "structured_by": str,
        },
        pk="id",
        not_null={"title", "text", "source", "added_at"},
    )
    db.table("template_versions").create(
        {"version": int, "digest": str, "note": str, "created_at": str, "source": str}, pk="version"
    )
    db.table("template_nodes").create(
        {
            "version": int,
            "id": str,
            "parent": str,
            "kind": str,
            "level": str,
            "position": int,
            "name": str,
            "definition": str,
        },
        pk=("version", "id"),
        foreign_keys=[("version", "template_versions", "version")],
    )
    db.table("ideas").create(
        {
            "id": str,
            "paper_id": str,
            "level": str,
            "main": str,
            "sub": str,
            "name": str,
            "instruction": str,
            "quote": str,
            "span_start": int,
            "span_end": int,
            "origin": str,
            "status": str,
            "decided_by": str,
            "decided_at": str,
            "created_at": str,
        },
        pk="id",
        not_null={"main", "sub", "name", "instruction", "origin", "status", "created_at"},
        foreign_keys=[("paper_id", "papers", "id")],
    )
    db.table("ideas").create_index(["status", "sub"])
    db.table("ideas").create_index(["paper_id"])
    db.table("idea_edits").create(
        {"id": int, "idea_id": str, "field": str, "old": str, "new": str, "edited_by": str, "at": str},
        pk="id",
        foreign_keys=[("idea_id", "ideas", "id")],
    )
    db.table("idea_decisions").create(
        {"id": int, "idea_id": str, "old_status": str, "new_status": str, "decided_by": str, "at": str},
        pk="id",
        foreign_keys=[("idea_id", "ideas", "id")],
    )


@migrations()
def m002_jobs(db: Database) -> None:
    """Long jobs, what the user asks of them, and who works on them."""
    db.table("jobs").create(
        {
            "id": str,
            "kind": str,
            "run_id": str,
            "state": str,
            "config_json": str,
            "message": str,
            "exit_code": int,
            "created_at": str,
            "updated_at": str,
        },
        pk="id",
        not_null={"kind", "state", "created_at"},
    )
    db.table("requests").create(
        {"id": int, "job_id": str, "kind": str, "at": str, "handled_at": str},
        pk="id",
        foreign_keys=[("job_id", "jobs", "id")],
    )
    db.table("leases").create(
        {
            "job_id": str,
            "host": str,
            "boot_id": str,
            "pid": int,
            "start_time": int,
            "heartbeat": float,
        },
        pk="job_id",
        foreign_keys=[("job_id", "jobs", "id")],
    )


@migrations()
def m003_search(db: Database) -> None:
    """Runs: generations, slots with their turns, attempts, candidates, evaluations, counts, tests."""
    db.table("runs").create(
        {
            "id": str,
            "name": str,
            "config_json": str,
            "environment_json": str,
            "template_version": int,
            "model": str,
            "model_digest": str,
            "dataset_digest": str,
            "protocol_digest": str,
            "seed": int,
            "digest": str,
            "created_at": str,
            "ended_at": str,
        },
        pk="id",
        not_null={"name", "config_json", "seed", "created_at"},
    )
    run = [("run_id", "runs", "id")]
    db.table("run_events").create(
        {"run_id": str, "generation": int, "kind": str, "payload_json": str, "at": str},
        pk=("run_id", "generation", "kind"),
        foreign_keys=run,
    )
    db.table("generations").create(
        {
            "run_id": str,
            "number": int,
            "state": str,
            "front_json": str,
            "hypervolume": float,
            "best_accuracy": float,
            "trained": int,
            "started_at": str,
            "ended_at": str,
        },
        pk=("run_id", "number"),
        foreign_keys=run,
    )
    db.table("slots").create(
        {
            "run_id": str,
            "generation": int,
            "slot": int,
            "stage": int,
            "kind": str,
            "main": str,
            "sub": str,
            "ideas_json": str,
            "parent_id": str,
            "state": str,
            "failure": str,
        },
        pk=("run_id", "generation", "slot"),
        foreign_keys=run,
    )
    db.table("attempts").create(
        {
            "run_id": str,
            "generation": int,
            "slot": int,
            "step": int,
            "attempt": int,
            "purpose": str,
            "idea_id": str,
            "parent_id": str,
            "task_hash": str,
            "design_json": str,
            "source": str,
            "verdict_json": str,
            "failure": str,
            "message": str,
            "design_seconds": float,
            "verify_seconds": float,
            "at": str,
        },
        pk=("run_id", "generation", "slot", "step", "attempt"),
        foreign_keys=run,
    )
    db.table("candidates").create(
        {
            "run_id": str,
            "id": str,
            "position": int,
            "generation": int,
            "stage": int,
            "slot": int,
            "step": int,
            "kind": str,
            "parent_id": str,
            "idea_id": str,
            "derived_json": str,
            "change": str,
            "edit_type": str,
            "realised": str,
            "source": str,
            "width": float,
            "params": int,
            "macs": int,
            "exact_hash": str,
            "width_hash": str,
            "graph": str,
            "weights": str,
            "status": str,
            "failure": str,
            "accuracy": float,
            "created_at": str,
        },
        pk=("run_id", "id"),
        foreign_keys=run,
    )
    db.table("candidates").create_index(["run_id", "position"])
    db.table("evaluations").create(
        {
            "run_id": str,
            "candidate_id": str,
            "purpose": str,
            "seed": int,
            "protocol": str,
            "protocol_digest": str,
            "status": str,
            "accuracy": float,
            "weights": str,
            "message": str,
            "seconds": float,
            "at": str,
        },
        pk=("run_id", "candidate_id", "purpose", "seed"),
        foreign_keys=run,
    )
    db.table("epochs").create(
        {
            "run_id": str,
            "candidate_id": str,
            "purpose": str,
            "seed": int,
            "epoch": int,
            "train_loss": float,
            "train_accuracy": float,
            "validation_accuracy": float,
            "learning_rate": float,
            "seconds": float,
        },
        pk=("run_id", "candidate_id", "purpose", "seed", "epoch"),
        foreign_keys=run,
    )
    db.table("sampling_counts").create(
        {"run_id": str, "node": str, "kind": str, "turns": int, "join_offset": int, "active": int},
        pk=("run_id", "node"),
        foreign_keys=run,
    )
    db.table("idea_uses").create(
        {"run_id": str, "idea_id": str, "uses": int}, pk=("run_id", "idea_id"), foreign_keys=run
    )
    # Selection code is given no way to this table (method, section 5, honesty rule).
    db.table("test_results").create(
        {
            "run_id": str,
            "candidate_id": str,
            "seed": int,
            "generation_seen": int,
            "validation_accuracy": float,
            "test_accuracy": float,
            "protocol": str,
            "at": str,
        },
        pk=("run_id", "candidate_id", "seed"),
        foreign_keys=run,
    )
    db.table("model_calls").create(
        {
            "id": int,
            "key": str,
            "job_id": str,
            "run_id": str,
            "purpose": str,
            "model": str,
            "prompt_hash": str,
            "prompt_tokens": int,
            "completion_tokens": int,
            "seconds": float,
            "reply": bytes,
            "at": str,
        },
        pk="id",
    )
    db.table("model_calls").create_index(["key"], unique=True)
    db.table("model_calls").create_index(["run_id"])


@migrations()
def m004_deleted(db: Database) -> None:
    """Ids of deleted runs and their jobs, which are never given again."""
    db.table("deleted").create({"id": str, "name": str, "at": str}, pk="id", not_null={"at"})


@migrations()
def m005_ideas(db: Database) -> None:
    """Curation: what was done to ideas, as operations that can be undone; sources of merged ideas; a change feed.

    The feed is kept by triggers, so that no writer can forget it: one row an idea, whose number grows with each change.
    """
    db.table("idea_operations").create(
        {"id": int, "kind": str, "detail": str, "ideas": int, "done_by": str, "at": str, "undone_at": str},
        pk="id",
        not_null={"kind", "ideas", "done_by", "at"},
    )
    db.table("idea_decisions").add_column("operation", int)
    db.table("idea_decisions").add_column("old_by", str)
    db.table("idea_decisions").add_column("old_at", str)
    db.table("idea_edits").add_column("operation", int)
    for table in ("idea_decisions", "idea_edits"):
        db.table(table).create_index(["idea_id"])
        db.table(table).create_index(["operation", "idea_id"])
    db.table("idea_sources").create(
        {"idea_id": str, "source_id": str, "operation": int},
        pk=("idea_id", "source_id"),
        foreign_keys=[("idea_id", "ideas", "id"), ("source_id", "ideas", "id")],
    )
    db.execute("CREATE TABLE idea_changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, idea_id TEXT NOT NULL UNIQUE)")
    for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
        db.execute(
            f"""CREATE TRIGGER idea_changes_{event.lower()} AFTER {event} ON ideas
                BEGIN INSERT OR REPLACE INTO idea_changes (idea_id) VALUES ({row}.id); END"""  # noqa: S608
        )


@migrations()
def m006_template(db: Database) -> None:
    """Template versions that are an undo: which version they go back to."""
    db.table("template_versions").add_column("restores", int)


@migrations()
def m007_training(db: Database) -> None:
    """Measured latency of a trained network: milliseconds of one pass at batch 1 and at batch 256."""
    db.table("evaluations").add_column("latency_1", float)
    db.table("evaluations").add_column("latency_256", float)


@migrations()
def m008_fidelity(db: Database) -> None:
    """Under which schedule a score was made: ``full``, or ``short:N`` with its number of epochs."""
    db.execute("ALTER TABLE evaluations ADD COLUMN fidelity TEXT NOT NULL DEFAULT 'full'")
