"""Deleting a run: its rows in one transaction, then the files that nothing names any longer.

A deleted run's id, and those of its jobs, are never given again: reports and notes that name them stay true.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlite_utils import Database

from fairnad_engine.errors import StoreError
from fairnad_engine.store.connection import now, transaction

if TYPE_CHECKING:
    from fairnad_engine.artifacts import ArtifactFolder
    from fairnad_engine.store.jobs import JobTable
    from fairnad_engine.store.runs import RunTable

# Children before their parents, as the foreign keys ask.
_TABLES = (
    "study_runs", "shared_scores", "run_events", "slots", "attempts", "epochs", "evaluations", "candidates",
    "sampling_counts", "idea_uses", "test_results", "test_columns", "side_models", "model_calls", "generations",
)  # fmt: skip


@dataclass(frozen=True)
class RunContents:
    """What goes with a run.

    Attributes:
        candidates: Verified backbones, the seed among them.
        trainings: Finished trainings.
        attempts: Proposals with their sources.
        model_calls: Calls of the language model, with the replies.
        test_scores: Scores on the test split.
    """

    candidates: int
    trainings: int
    attempts: int
    model_calls: int
    test_scores: int


class RunDeletion:
    """Deletes runs."""

    def __init__(self, database: Database, runs: RunTable, jobs: JobTable, files: ArtifactFolder) -> None:
        self._db = database
        self._runs = runs
        self._jobs = jobs
        self._files = files

    def contents(self, run_id: str) -> RunContents:
        """What :meth:`delete` would delete."""
        tables = ("candidates", "evaluations", "attempts", "model_calls", "test_results")
        return RunContents(*(self._db.table(name).count_where("run_id = ?", [run_id]) for name in tables))

    def delete(self, run_id: str) -> None:
        """Delete a run with everything that belongs to it alone; ideas, papers and written reports stay.

        Raises:
            InputError: There is no such run.
            StoreError: A process works on it.
        """
        with transaction(self._db):
            run = self._runs.get(run_id)
            jobs = [job for job in self._jobs.all() if job.run_id == run_id]
            held = next((job for job in jobs if self._jobs.is_held(job.id)), None)
            if held is not None:
                raise StoreError(f"{run_id} is being worked on ({held.kind}); stop it first, then delete it")
            files = self._named(run_id)
            for table in _TABLES:
                self._db.table(table).delete_where("run_id = ?", [run_id])
            self._db.table("model_prompts").delete_where("hash NOT IN (SELECT prompt_hash FROM model_calls)")
            for job in jobs:
                for table in ("requests", "leases", "reservations"):
                    self._db.table(table).delete_where("job_id = ?", [job.id])
                self._db.table("jobs").delete(job.id)
            self._db.table("runs").delete(run_id)
            at = now()
            gone = [(run_id, run.name), *((job.id, job.kind) for job in jobs)]
            self._db.table("deleted").insert_all({"id": one, "name": name, "at": at} for one, name in gone)
        self._remove_job_folders([job.id for job in jobs])
        shutil.rmtree(self._files.root / "checkpoints" / run_id, ignore_errors=True)
        self._remove_files(files)

    def _named(self, run_id: str | None = None) -> set[str]:
        """The files that a run's rows name, or any row."""
        query = """SELECT graph name, run_id FROM candidates
                   UNION SELECT weights, run_id FROM candidates UNION SELECT weights, run_id FROM evaluations
                   UNION SELECT graph, run_id FROM side_models UNION SELECT weights, run_id FROM side_models
                   UNION SELECT json_extract(verdict_json, '$.graph'), run_id FROM attempts
                   UNION SELECT json_extract(verdict_json, '$.weights'), run_id FROM attempts"""
        return {row["name"] for row in self._db.query(query) if row["name"] and run_id in (None, row["run_id"])}

    def _remove_job_folders(self, jobs: list[str]) -> None:
        for job in jobs:
            folder = self._files.root / "jobs" / job
            for path in folder.glob("*"):
                path.unlink(missing_ok=True)
            if folder.is_dir():
                folder.rmdir()

    def _remove_files(self, names: set[str]) -> None:
        """Remove those that no row names any more; not beside a worker, which stores a file before its row."""
        # No worker can take a lease while this transaction holds the file's write lock.
        with transaction(self._db):
            if any(self._jobs.is_held(job.id) for job in self._jobs.all()):
                return
            for name in names - self._named():
                self._files.path(name).unlink(missing_ok=True)


def next_number(database: Database, table: str, prefix: str) -> int:
    """The first number that no row of a table, present or deleted, has as ``prefix-N``."""
    query = f"""SELECT max(CAST(substr(id, ?) AS INTEGER)) number FROM
                (SELECT id FROM {table} UNION SELECT id FROM deleted) WHERE id LIKE ?"""  # noqa: S608
    row = next(database.query(query, [len(prefix) + 2, f"{prefix}-%"]))
    return int(row["number"] or 0) + 1
