"""What a search writes: its frozen settings, generations, slots, attempts, candidates and evaluations.

The search worker is the only writer. Each method is one transaction and may be repeated: writing the same row again
changes nothing, which is what makes a resumed run equal an undisturbed one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.store.connection import now, transaction
from fairnad_engine.store.deletion import next_number
from fairnad_engine.store.records import (
    AttemptRow,
    CandidateRow,
    EvaluationRow,
    GenerationRow,
    Row,
    RunProgress,
    RunRow,
    SlotRow,
    decode,
    encode,
)

SEED_CANDIDATE = "seed"


class RunTable:
    """Everything of a run but its sampling counts, model calls and test scores."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, name: str, frozen: Row) -> RunRow:
        """Store a new run with everything it is started with."""
        with transaction(self._db):
            run_id = f"run-{next_number(self._db, 'runs', 'run')}"
            row = encode(frozen, ("config", "environment"))
            self._db.table("runs").insert(
                {"id": run_id, "name": name, **row, "digest": None, "created_at": now(), "ended_at": None}
            )
        return self.get(run_id)

    def get(self, run_id: str) -> RunRow:
        """One run.

        Raises:
            InputError: There is no such run.
        """
        row = next(self._db.query("SELECT * FROM runs WHERE id = ?", [run_id]), None)
        if row is None:
            known = ", ".join(run.id for run in self.all()) or "none yet"
            raise InputError(f"run {run_id!r} does not exist; there are: {known}")
        return RunRow(**decode(row))

    def all(self) -> list[RunRow]:
        """Every run, oldest first."""
        return [RunRow(**decode(row)) for row in self._db.query("SELECT * FROM runs ORDER BY rowid")]

    def newest(self) -> RunRow | None:
        """The run that was created last."""
        runs = self.all()
        return runs[-1] if runs else None

    def end(self, run_id: str, digest: str) -> None:
        """Record the digest of a run that reached its budget."""
        self._db.table("runs").update(run_id, {"digest": digest, "ended_at": now()})

    def progress(self, run_id: str) -> RunProgress:
        """How far a run is, without reading its candidates."""
        query = """SELECT sum(generation > 0 AND status = 'trained') trained, sum(status = 'screened') screened,
                   max(accuracy) best FROM candidates WHERE run_id = ? AND status IN ('trained', 'screened')"""
        row = next(self._db.query(query, [run_id]))
        last = next(self._db.query("SELECT max(number) number FROM generations WHERE run_id = ?", [run_id]))
        config = self.get(run_id).config
        budget, chains = int(config["budget"]["trained"]), config["search"].get("stage3_counts", "both")
        return RunProgress(
            row["trained"] or 0, budget, last["number"] or 0, row["best"], row["screened"] or 0,
            self._counted(run_id, chains),
        )  # fmt: skip

    def _counted(self, run_id: str, chains: str) -> int:
        """Models as the budget counts them; agrees with :func:`fairnad_engine.search.selection.counted`."""
        query = """WITH ended AS (SELECT generation, slot FROM candidates WHERE run_id = ? AND generation > 0
                                  AND status IN ('trained', 'screened')
                                  AND (status = 'screened' OR accuracy IS NOT NULL))
                   SELECT count(*) both, count(DISTINCT generation * 100000 + slot) last FROM ended"""
        return int(next(self._db.query(query, [run_id]))[chains])

    def edits_made(self, run_id: str) -> dict[str, int]:
        """How many of a run's backbones came from each type of edit, without reading their programs."""
        query = """SELECT edit_type, count(*) made FROM candidates WHERE run_id = ? AND generation > 0
                   GROUP BY edit_type ORDER BY edit_type"""
        return {row["edit_type"]: row["made"] for row in self._db.query(query, [run_id])}

    # -- events and generations ------------------------------------------------------------------------------

    def record_event(self, run_id: str, generation: int, kind: str, payload: Any) -> None:  # noqa: ANN401
        """Record an event of a generation once; a second one of the same kind is ignored."""
        self._db.table("run_events").insert(
            {
                "run_id": run_id,
                "generation": generation,
                "kind": kind,
                "payload_json": json.dumps(payload, sort_keys=True),
                "at": now(),
            },
            ignore=True,
        )

    def latest_event(self, run_id: str, kind: str, generation: int) -> tuple[int, Any] | None:
        """The last event of a kind at or before a generation, with its generation."""
        query = """SELECT generation, payload_json FROM run_events
                   WHERE run_id = ? AND kind = ? AND generation <= ? ORDER BY generation DESC LIMIT 1"""
        row = next(self._db.query(query, [run_id, kind, generation]), None)
        return None if row is None else (row["generation"], json.loads(row["payload_json"]))

    def events(self, run_id: str, kinds: Sequence[str] = ()) -> list[Row]:
        """Every event of a run, or those of some kinds."""
        of = f"AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        query = f"""SELECT generation, kind, payload_json, at FROM run_events
                    WHERE run_id = ? {of} ORDER BY generation, kind"""  # noqa: S608
        return [decode(row) for row in self._db.query(query, [run_id, *kinds])]

    def open_generation(self, run_id: str, number: int, slots: list[Row]) -> None:
        """Store a generation with all its slots; the caller draws the turns in the same transaction."""
        self._db.table("generations").insert(
            {
                "run_id": run_id,
                "number": number,
                "state": "running",
                "front_json": "[]",
                "trained": 0,
                "started_at": now(),
            }
        )
        self.add_slots(run_id, number, slots)

    def add_slots(self, run_id: str, number: int, slots: list[Row]) -> None:
        """Store further slots of a generation that is open."""
        self._db.table("slots").insert_all(
            {
                "run_id": run_id,
                "generation": number,
                "state": "pending",
                "failure": None,
                **encode(slot, ("ideas",)),
            }
            for slot in slots
        )

    def close_generation(
        self, run_id: str, number: int, *, front: list[str], hypervolume: float, best: float | None, trained: int
    ) -> None:
        """Record how a generation ended."""
        values = {
            "state": "done",
            "front_json": json.dumps(front),
            "hypervolume": hypervolume,
            "best_accuracy": best,
            "trained": trained,
            "ended_at": now(),
        }
        self._db.table("generations").update((run_id, number), values)

    def generations(self, run_id: str) -> list[GenerationRow]:
        """A run's generations in order."""
        rows = self._db.query("SELECT * FROM generations WHERE run_id = ? ORDER BY number", [run_id])
        return [GenerationRow(**{**decode(r), "front": tuple(decode(r)["front"])}) for r in rows]

    def slots(self, run_id: str, generation: int | None = None) -> list[SlotRow]:
        """Slots of one generation, or of all."""
        where, arguments = ("AND generation = ?", [run_id, generation]) if generation is not None else ("", [run_id])
        query = f"SELECT * FROM slots WHERE run_id = ? {where} ORDER BY generation, slot"  # noqa: S608
        return [SlotRow(**{**decode(r), "ideas": tuple(decode(r)["ideas"])}) for r in self._db.query(query, arguments)]

    def set_slot(self, run_id: str, generation: int, slot: int, state: str, failure: str | None = None) -> None:
        """Record how a slot ended: ``trained``, ``screened``, ``failed`` or ``cut``."""
        self._db.table("slots").update((run_id, generation, slot), {"state": state, "failure": failure})

    # -- attempts ---------------------------------------------------------------------------------------------

    def attempt(self, run_id: str, generation: int, slot: int, step: int, attempt: int) -> AttemptRow | None:
        """An attempt that was made before, if any."""
        query = """SELECT * FROM attempts
                   WHERE run_id = ? AND generation = ? AND slot = ? AND step = ? AND attempt = ?"""
        row = next(self._db.query(query, [run_id, generation, slot, step, attempt]), None)
        return None if row is None else _attempt(row)

    def save_attempt(self, key: tuple[str, int, int, int, int], values: Row) -> None:
        """Create or complete an attempt."""
        run_id, generation, slot, step, attempt = key
        row = {
            "run_id": run_id,
            "generation": generation,
            "slot": slot,
            "step": step,
            "attempt": attempt,
            **encode(values, ("design", "verdict")),
            "at": now(),
        }
        self._db.table("attempts").upsert(row, pk=("run_id", "generation", "slot", "step", "attempt"))

    def attempts(self, run_id: str, generation: int | None = None) -> list[AttemptRow]:
        """Every attempt of a run, in slot order."""
        where, arguments = ("AND generation <= ?", [run_id, generation]) if generation is not None else ("", [run_id])
        query = f"SELECT * FROM attempts WHERE run_id = ? {where} ORDER BY generation, slot, step, attempt"  # noqa: S608
        return [_attempt(row) for row in self._db.query(query, arguments)]

    def attempts_before(self, run_id: str, generation: int, slot: int, count: int) -> list[AttemptRow]:
        """The last so many attempts before a slot, in slot order."""
        query = """SELECT * FROM attempts WHERE run_id = ? AND generation <= ? AND (generation, slot) < (?, ?)
                   ORDER BY generation DESC, slot DESC, step DESC, attempt DESC LIMIT ?"""
        rows = list(self._db.query(query, [run_id, generation, generation, slot, count]))
        return [_attempt(row) for row in reversed(rows)]

    def attempts_of_slot(self, run_id: str, generation: int, slot: int) -> list[AttemptRow]:
        """Every attempt of one slot, in order."""
        query = "SELECT * FROM attempts WHERE run_id = ? AND generation = ? AND slot = ? ORDER BY step, attempt"
        return [_attempt(row) for row in self._db.query(query, [run_id, generation, slot])]

    # -- candidates and evaluations ---------------------------------------------------------------------------

    def save_candidate(self, run_id: str, candidate_id: str, values: Row) -> None:
        """Store a verified candidate; a second write of the same one is ignored."""
        row = {"run_id": run_id, "id": candidate_id, **encode(values, ("derived",)), "created_at": now()}
        self._db.table("candidates").insert(row, ignore=True)

    def candidate(self, run_id: str, candidate_id: str) -> CandidateRow | None:
        """One candidate, if there is one of this id."""
        row = next(self._db.query("SELECT * FROM candidates WHERE run_id = ? AND id = ?", [run_id, candidate_id]), None)
        return None if row is None else CandidateRow(**decode(row))

    def candidates(self, run_id: str, through: int | None = None) -> list[CandidateRow]:
        """Candidates in their order of position, optionally only through a generation."""
        where, arguments = ("AND generation <= ?", [run_id, through]) if through is not None else ("", [run_id])
        query = f"SELECT * FROM candidates WHERE run_id = ? {where} ORDER BY position"  # noqa: S608
        return [CandidateRow(**decode(row)) for row in self._db.query(query, arguments)]

    def children(self, run_id: str, candidate_id: str) -> list[CandidateRow]:
        """Candidates that were made from one, in order."""
        query = "SELECT * FROM candidates WHERE run_id = ? AND parent_id = ? ORDER BY position"
        return [CandidateRow(**decode(row)) for row in self._db.query(query, [run_id, candidate_id])]

    def start_training(self, run_id: str, candidate_id: str) -> None:
        """Mark a candidate as being trained."""
        self._db.table("candidates").update((run_id, candidate_id), {"status": "training"})

    def save_evaluation(
        self, run_id: str, candidate_id: str, values: Row, epochs: list[Row], latency: float | None = None
    ) -> None:
        """Store how a training ended, with its epochs, and the candidate's new state.

        Args:
            run_id: The run.
            candidate_id: The candidate.
            values: The evaluation.
            epochs: Its epochs.
            latency: Milliseconds that the candidate is selected by, where the run does that.
        """
        with transaction(self._db):
            key = {"run_id": run_id, "candidate_id": candidate_id}
            self._db.table("evaluations").insert({**key, **values, "at": now()}, ignore=True)
            self._db.table("epochs").insert_all(
                ({**key, "purpose": values["purpose"], "seed": values["seed"], **epoch} for epoch in epochs),
                ignore=True,
            )
            done = values["status"] == "done"
            if values["purpose"] == "search" or (values["purpose"] == "screen" and not done):
                self._db.table("candidates").update(
                    (run_id, candidate_id),
                    {
                        "status": "trained" if done else "failed",
                        "accuracy": values["accuracy"],
                        "failure": None if done else values["status"],
                        "latency": latency,
                    },
                )

    def decide_screening(self, run_id: str, candidate_id: str, seed: int, *, promoted: bool, reason: str) -> None:
        """Store what was decided after a short schedule; a candidate that is stopped there becomes ``screened``."""
        with transaction(self._db):
            self._db.table("evaluations").update((run_id, candidate_id, "screen", seed), {"message": reason})
            if not promoted:
                self._db.table("candidates").update((run_id, candidate_id), {"status": "screened"})

    def settle_slot(self, run_id: str, candidate_id: str) -> None:
        """Let a slot that ended ``screened`` end ``trained`` where its candidate was trained in full after all."""
        query = """UPDATE slots SET state = 'trained' WHERE state = 'screened' AND run_id = ?1 AND EXISTS (
                     SELECT 1 FROM candidates c WHERE c.run_id = ?1 AND c.id = ?2 AND c.status = 'trained'
                     AND c.generation = slots.generation AND c.slot = slots.slot)"""
        with transaction(self._db):
            self._db.execute(query, [run_id, candidate_id])

    def epochs_spent(self, run_id: str) -> dict[str, int]:
        """Epochs that the search trained, by fidelity; those of trainings that failed included."""
        query = """SELECT fidelity, count(*) n FROM epochs JOIN evaluations USING (run_id, candidate_id, purpose, seed)
                   WHERE run_id = ? AND purpose IN ('search', 'screen') GROUP BY 1 ORDER BY 1"""
        return {row["fidelity"]: row["n"] for row in self._db.query(query, [run_id])}

    def evaluation(self, run_id: str, candidate_id: str, purpose: str, seed: int) -> EvaluationRow | None:
        """An evaluation that was made before, if any."""
        query = "SELECT * FROM evaluations WHERE run_id = ? AND candidate_id = ? AND purpose = ? AND seed = ?"
        row = next(self._db.query(query, [run_id, candidate_id, purpose, seed]), None)
        return None if row is None else EvaluationRow(**decode(row))

    def evaluations(self, run_id: str, purpose: str) -> list[EvaluationRow]:
        """Every evaluation of a purpose (``search``, ``screen`` or ``finish``)."""
        query = "SELECT * FROM evaluations WHERE run_id = ? AND purpose = ? ORDER BY candidate_id, seed"
        return [EvaluationRow(**decode(row)) for row in self._db.query(query, [run_id, purpose])]

    def evaluations_of(self, run_id: str, candidate_id: str) -> list[EvaluationRow]:
        """Every evaluation of one candidate."""
        query = "SELECT * FROM evaluations WHERE run_id = ? AND candidate_id = ? ORDER BY purpose DESC, seed"
        return [EvaluationRow(**decode(row)) for row in self._db.query(query, [run_id, candidate_id])]

    def epochs(self, run_id: str, candidate_id: str, purpose: str = "search") -> list[Row]:
        """The epochs of a candidate's training."""
        query = """SELECT epoch, seed, train_loss, train_accuracy, validation_accuracy, learning_rate, seconds
                   FROM epochs WHERE run_id = ? AND candidate_id = ? AND purpose = ? ORDER BY seed, epoch"""
        return [decode(row) for row in self._db.query(query, [run_id, candidate_id, purpose])]


def _attempt(row: Any) -> AttemptRow:  # noqa: ANN401
    values = decode(row)
    values.pop("at")
    values["message"] = values["message"] or ""
    values["design_seconds"] = values["design_seconds"] or 0.0
    values["verify_seconds"] = values["verify_seconds"] or 0.0
    return AttemptRow(**values)
