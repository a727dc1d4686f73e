"""Runs that go on from stored rows: one whose budget grows, and one that begins with a copy of another's archive."""

# Statements are put together from this file's own names; every value is bound.
# ruff: noqa: S608

from __future__ import annotations

import json

from sqlite_utils import Database

from fairnad_engine.store.connection import transaction

_OF_A_TRAINING = ("evaluations", "epochs")
_COPIED_EVENTS = ("ideas", "briefs", "briefs-again")


class LineageTable:
    """Reopens and copies runs; the caller decides what, in one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def reopen(self, run_id: str, trained: int, uses: dict[str, int]) -> None:
        """Give a run a larger budget, and let its last generation go on as if it had never been cut.

        Args:
            run_id: The run.
            trained: Models it may train from now on.
            uses: How often each idea was used, without what the end of that generation will count again.
        """
        with transaction(self._db):
            row = next(self._db.query("SELECT config_json FROM runs WHERE id = ?", [run_id]))
            config = json.loads(row["config_json"])
            config["budget"]["trained"] = trained
            values = {"config_json": json.dumps(config, sort_keys=True), "digest": None, "ended_at": None}
            self._db.table("runs").update(run_id, values)
            last = next(self._db.query("SELECT max(number) n FROM generations WHERE run_id = ?", [run_id]))["n"]
            if last is None:
                return
            self._db.execute(
                """UPDATE generations SET state = 'running', front_json = '[]', hypervolume = NULL,
                   best_accuracy = NULL, trained = 0, ended_at = NULL WHERE run_id = ? AND number = ?""",
                [run_id, last],
            )
            self._db.execute(
                """UPDATE slots SET state = 'pending', failure = NULL
                   WHERE run_id = ? AND generation = ? AND state = 'cut'""",
                [run_id, last],
            )
            self._db.table("idea_uses").delete_where("run_id = ?", [run_id])
            self._db.table("idea_uses").insert_all(
                {"run_id": run_id, "idea_id": idea, "uses": n} for idea, n in sorted(uses.items())
            )

    def copy_seed(self, source: str, target: str) -> None:
        """Copy generation 0: the seed, what the run was started warm with, and their trainings."""
        with transaction(self._db):
            self._copy("candidates", source, target, "generation = 0")
            self._copy_trainings(source, target, 0)

    def copy_generation(self, source: str, target: str, number: int) -> None:
        """Copy one generation that ended, but for its slots: events, attempts, candidates and their trainings."""
        with transaction(self._db):
            for table in ("generations", "attempts", "candidates"):
                column = "number" if table == "generations" else "generation"
                self._copy(table, source, target, f"{column} = {int(number)}")
            kinds = ", ".join(f"'{kind}'" for kind in _COPIED_EVENTS)
            self._copy("run_events", source, target, f"generation = {int(number)} AND kind IN ({kinds})")
            self._copy_trainings(source, target, number)

    def copy_slots(self, source: str, target: str, number: int, slots: list[int]) -> None:
        """Copy slots of a generation with how they ended."""
        chosen = ", ".join(str(int(slot)) for slot in slots)
        with transaction(self._db):
            self._copy("slots", source, target, f"generation = {int(number)} AND slot IN ({chosen})")

    def copy_model(self, source: str, candidate_id: str, target: str, new_id: str) -> None:
        """Copy the search's training of one candidate to a candidate of another run, which spent no time on it."""
        with transaction(self._db):
            for table in _OF_A_TRAINING:
                self._copy(table, source, target, "candidate_id = ? AND purpose = 'search'", [candidate_id], new_id)
            self._db.execute(
                "UPDATE evaluations SET seconds = 0 WHERE run_id = ? AND candidate_id = ?", [target, new_id]
            )

    def _copy_trainings(self, source: str, target: str, number: int) -> None:
        chosen = "candidate_id IN (SELECT id FROM candidates WHERE run_id = ? AND generation = ?)"
        for table in _OF_A_TRAINING:
            where = f"purpose IN ('search', 'screen') AND {chosen}"
            self._copy(table, source, target, where, [source, number])

    def _copy(
        self,
        table: str,
        source: str,
        target: str,
        where: str,
        arguments: list[object] | None = None,
        new_id: str | None = None,
    ) -> None:
        names = [column.name for column in self._db.table(table).columns]
        values = {"run_id": "?", **({"candidate_id": "?"} if new_id is not None else {})}
        chosen = ", ".join(values.get(name, name) for name in names)
        given: list[object] = [{"run_id": target, "candidate_id": new_id}[name] for name in names if name in values]
        self._db.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM {table} WHERE run_id = ? AND {where}",
            [*given, source, *(arguments or [])],
        )
