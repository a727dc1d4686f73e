"""Test scores, in a table that selection code is given no way to."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.connection import now
from fairnad_engine.store.records import TestColumnRow, TestRow, decode


class TestTable:
    """Scores on the test split, made once by ``finish``."""

    __test__ = False  # not a test class

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(
        self,
        run_id: str,
        candidate_id: str,
        seed: int,
        *,
        generation: int,
        validation: float,
        test: float,
        protocol: str,
    ) -> None:
        """Store a score; a second one for the same candidate and seed is ignored."""
        self._db.table("test_results").insert(
            {
                "run_id": run_id,
                "candidate_id": candidate_id,
                "seed": seed,
                "generation_seen": generation,
                "validation_accuracy": validation,
                "test_accuracy": test,
                "protocol": protocol,
                "at": now(),
            },
            ignore=True,
        )

    def of_run(self, run_id: str) -> list[TestRow]:
        """Every test score of a run."""
        query = "SELECT * FROM test_results WHERE run_id = ? ORDER BY candidate_id, seed"
        return [TestRow(**decode(row)) for row in self._db.query(query, [run_id])]

    def save_column(
        self,
        run_id: str,
        candidate_id: str,
        seed: int,
        kind: str,
        *,
        generation: int,
        epoch: int,
        accuracy: float,
        last_accuracy: float,
        images: int,
        protocol: str,
    ) -> None:
        """Store a score made in another paper's manner; a second one for the same training is ignored."""
        self._db.table("test_columns").insert(
            {
                "run_id": run_id,
                "candidate_id": candidate_id,
                "seed": seed,
                "kind": kind,
                "generation_seen": generation,
                "epoch": epoch,
                "accuracy": accuracy,
                "last_accuracy": last_accuracy,
                "images": images,
                "protocol": protocol,
                "at": now(),
            },
            ignore=True,
        )

    def columns_of(self, run_id: str) -> list[TestColumnRow]:
        """Every such score of a run."""
        query = "SELECT * FROM test_columns WHERE run_id = ? ORDER BY candidate_id, seed, kind"
        return [TestColumnRow(**decode(row)) for row in self._db.query(query, [run_id])]
