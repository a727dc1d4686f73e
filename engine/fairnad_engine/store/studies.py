"""Studies and their runs."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.store.connection import now, transaction
from fairnad_engine.store.records import Row, decode
from fairnad_engine.store.runs import RunTable


@dataclass(frozen=True)
class StudyRow:
    """A study: its name, the settings it was first started with, and when."""

    name: str
    config: Row
    created_at: str


@dataclass(frozen=True)
class StudyRunRow:
    """The run of one method and one seed of a study."""

    method: str
    seed: int
    run_id: str


class StudyTable:
    """Studies, which run belongs to which method and seed, and the scores that runs take over from each other."""

    def __init__(self, database: Database, runs: RunTable) -> None:
        self._db = database
        self._runs = runs

    def save(self, name: str, config: Row) -> StudyRow:
        """Store a study, or give a stored one its settings as they are now; its runs stay."""
        with transaction(self._db):
            row = {"config_json": json.dumps(config, sort_keys=True)}
            if self.find(name) is None:
                self._db.table("studies").insert({"name": name, **row, "created_at": now()})
            else:
                self._db.table("studies").update(name, row)
        return self.get(name)

    def find(self, name: str) -> StudyRow | None:
        """One study, if there is one of this name."""
        row = next(self._db.query("SELECT * FROM studies WHERE name = ?", [name]), None)
        return None if row is None else StudyRow(**decode(row))

    def get(self, name: str) -> StudyRow:
        """One study.

        Raises:
            InputError: There is no such study.
        """
        found = self.find(name)
        if found is None:
            known = ", ".join(study.name for study in self.all()) or "none yet"
            raise InputError(f"study {name!r} does not exist; there are: {known}")
        return found

    def all(self) -> list[StudyRow]:
        """Every study, oldest first."""
        return [StudyRow(**decode(row)) for row in self._db.query("SELECT * FROM studies ORDER BY rowid")]

    def add_run(self, name: str, method: str, seed: int, run_id: str) -> None:
        """Say which run is that of a method and a seed."""
        self._db.table("study_runs").insert({"study": name, "method": method, "seed": seed, "run_id": run_id})

    def runs(self, name: str) -> list[StudyRunRow]:
        """The runs that a study has started, in the order they were."""
        query = "SELECT method, seed, run_id FROM study_runs WHERE study = ? ORDER BY rowid"
        return [StudyRunRow(**row) for row in self._db.query(query, [name])]

    # -- scores that runs share ------------------------------------------------------------------------------

    def offer_score(self, key: str, run_id: str, candidate_id: str, purpose: str, seed: int) -> None:
        """Let other runs take over a stored evaluation; the first one of a key stays."""
        row = {"key": key, "run_id": run_id, "candidate_id": candidate_id, "purpose": purpose, "seed": seed}
        self._db.table("shared_scores").insert(row, ignore=True)

    def take_score(self, key: str, run_id: str, candidate_id: str, purpose: str) -> bool:
        """Copy a shared evaluation with its epochs to a candidate, at no seconds; False where there is none."""
        with transaction(self._db):
            found = next(self._db.query("SELECT * FROM shared_scores WHERE key = ?", [key]), None)
            if found is None or (found["run_id"], found["candidate_id"]) == (run_id, candidate_id):
                return False
            source = self._runs.evaluation(found["run_id"], found["candidate_id"], found["purpose"], found["seed"])
            if source is None:
                return False
            epochs = [
                {name: value for name, value in epoch.items() if name != "seed"}
                for epoch in self._runs.epochs(found["run_id"], found["candidate_id"], found["purpose"])
                if epoch["seed"] == found["seed"]
            ]
            copied = {
                name: value for name, value in vars(source).items() if name not in ("run_id", "candidate_id", "at")
            }
            copied |= {
                "purpose": purpose,
                "seconds": 0.0,
                "message": f"shared by {found['run_id']}/{found['candidate_id']}",
            }
            self._runs.save_evaluation(run_id, candidate_id, copied, epochs)
        return True
