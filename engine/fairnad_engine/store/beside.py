"""Networks beside a run's archive: the seed at the budget's edge, and front members that ``finish`` widened.

They have a candidate's columns and their trainings lie with those of candidates, but nothing that selects, counts or
hashes a run reads this table.
"""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.connection import now
from fairnad_engine.store.records import CandidateRow, Row, decode, encode


class BesideTable:
    """The side models of runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(self, run_id: str, model_id: str, values: Row) -> None:
        """Store a side model; a second write of the same one is ignored."""
        row = {"run_id": run_id, "id": model_id, **encode(values, ("derived",)), "created_at": now()}
        self._db.table("side_models").insert(row, ignore=True)

    def get(self, run_id: str, model_id: str) -> CandidateRow | None:
        """One side model, if there is one of this id."""
        query = "SELECT * FROM side_models WHERE run_id = ? AND id = ?"
        row = next(self._db.query(query, [run_id, model_id]), None)
        return None if row is None else CandidateRow(**decode(row))

    def of_run(self, run_id: str) -> list[CandidateRow]:
        """Every side model of a run."""
        query = "SELECT * FROM side_models WHERE run_id = ? ORDER BY position, id"
        return [CandidateRow(**decode(row)) for row in self._db.query(query, [run_id])]

    def scores(self, run_id: str) -> int:
        """How many trainings of side models are stored."""
        query = """SELECT count(*) n FROM evaluations JOIN side_models s
                   ON s.run_id = evaluations.run_id AND s.id = evaluations.candidate_id WHERE evaluations.run_id = ?"""
        return int(next(self._db.query(query, [run_id]))["n"])
