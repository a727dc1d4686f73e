"""What the ledger reads: every proposal with its costs in one row, and the sums that it must come to.

Rows and sums are read by queries of their own, so that a row that is lost or counted twice shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from fairnad_engine.store.calls import CallTable, CallTotals

# A step's backbone is of its last proposal that was not rejected.
_DECIDED = """SELECT coalesce(a.design_seconds, 0.0) + coalesce(a.verify_seconds, 0.0) seconds,
              coalesce(a.failure IS NULL AND c.status = 'trained', 0) trained
              FROM attempts a LEFT JOIN candidates c USING (run_id, generation, slot, step)
              WHERE a.run_id = ? AND (a.failure IS NOT NULL OR (c.status IN ('trained', 'screened', 'failed')
              AND NOT EXISTS (SELECT 1 FROM attempts b WHERE b.run_id = a.run_id AND b.generation = a.generation
              AND b.slot = a.slot AND b.step = a.step AND b.attempt > a.attempt AND b.failure IS NULL)))"""
_TRAININGS = """SELECT coalesce(sum(e.seconds), 0.0) seconds
                FROM (SELECT run_id, id, status FROM candidates
                      UNION ALL SELECT run_id, id, status FROM side_models) c
                LEFT JOIN evaluations e ON e.run_id = c.run_id AND e.candidate_id = c.id
                AND e.purpose IN ('search', 'screen')
                WHERE c.run_id = ? AND c.status = 'trained' GROUP BY c.id"""
_ASKED = """SELECT sum(prompt_tokens) read, sum(completion_tokens) written FROM model_calls WHERE run_id = ?
            GROUP BY rtrim(rtrim(key, '0123456789'), '/')"""

Place = tuple[int, int, int]  # generation, slot, step


@dataclass(frozen=True)
class ProposalCost:
    """One proposal: where it stands, how far it came, and the seconds it took.

    Attributes:
        generation: Its generation.
        slot: Its slot.
        step: 1, or 2 for the second step of a chain.
        attempt: Which proposal of the step.
        stage: 1 to 3.
        purpose: Why it was asked for.
        idea: The idea it applies, or the one that it derived.
        failure: Class of its rejection.
        designed: Whether the model's reply was a design.
        verified: Whether the verifier has spoken.
        design_seconds: Wall time of asking the model.
        verify_seconds: Wall time of the verifier.
    """

    generation: int
    slot: int
    step: int
    attempt: int
    stage: int
    purpose: str
    idea: str | None
    failure: str | None
    designed: bool
    verified: bool
    design_seconds: float
    verify_seconds: float

    @property
    def place(self) -> Place:
        """The step it belongs to."""
        return self.generation, self.slot, self.step


@dataclass(frozen=True)
class CandidateCost:
    """One verified backbone and the seconds of its trainings: by the search, and by ``finish``."""

    id: str
    generation: int
    slot: int
    step: int
    stage: int
    idea: str | None
    status: str
    failure: str | None
    params: int
    search_seconds: float
    finish_seconds: float

    @property
    def place(self) -> Place:
        """The step it came of; of the seed (0, 0, 1)."""
        return self.generation, self.slot, self.step


@dataclass(frozen=True)
class CallCost:
    """The requests to language models of one step of the work; ``key`` as it was recorded."""

    key: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float


@dataclass(frozen=True)
class RunSums:
    """Sums of a whole run, straight from its tables."""

    proposals: int
    design_seconds: float
    verify_seconds: float
    search_seconds: float
    finish_seconds: float
    calls: int
    prompt_tokens: int
    completion_tokens: int
    call_seconds: float


@dataclass(frozen=True)
class Moments:
    """Numbers by their count, sum and sum of squares, which is all that a mean and its error take."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> Moments:
        """Those of numbers at hand."""
        return cls(len(values), math.fsum(values), math.fsum(value * value for value in values))


@dataclass(frozen=True)
class Measures:
    """What a run has measured so far.

    Attributes:
        proposals: Seconds of decided proposals: asking the model, and verifying.
        trained: How many of these were trained.
        trainings: Seconds of trained models, the seed among them.
        prompt_tokens: Read for a proposal that took requests.
        completion_tokens: Written for it.
        params: Parameters of backbones, the seed left out.
    """

    proposals: Moments
    trained: int
    trainings: Moments
    prompt_tokens: Moments
    completion_tokens: Moments
    params: Moments


class LedgerTable:
    """Reads only; what it reads is written by the search."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def proposals(self, run_id: str) -> list[ProposalCost]:
        """Every proposal of a run in slot order, without its texts."""
        query = """SELECT a.generation, a.slot, a.step, a.attempt, coalesce(s.stage, 0) stage, a.purpose,
                   coalesce(a.idea_id, json_extract(a.design_json, '$.derived.id')) idea, a.failure,
                   a.design_json IS NOT NULL designed, a.verdict_json IS NOT NULL verified,
                   coalesce(a.design_seconds, 0.0) design_seconds, coalesce(a.verify_seconds, 0.0) verify_seconds
                   FROM attempts a LEFT JOIN slots s USING (run_id, generation, slot)
                   WHERE run_id = ? ORDER BY a.generation, a.slot, a.step, a.attempt"""
        # Tens of thousands of rows: by place, which is three times as quick as by name.
        rows = self._db.execute(query, [run_id]).fetchall()
        return [ProposalCost(*(*row[:8], bool(row[8]), bool(row[9]), *row[10:])) for row in rows]

    def candidates(self, run_id: str) -> list[CandidateCost]:
        """Every verified backbone of a run, the seed first; those beside the archive last, as of generation 0."""
        query = """WITH c AS (SELECT 0 beside, run_id, id, position, generation, slot, step, stage, idea_id,
                                derived_json, status, failure, params FROM candidates
                              UNION ALL SELECT 1, run_id, id, position, 0, slot, step, 0, NULL,
                                NULL, status, failure, params FROM side_models)
                   SELECT c.id, c.generation, c.slot, c.step, c.stage,
                   coalesce(c.idea_id, json_extract(c.derived_json, '$.id')) idea, c.status, c.failure, c.params,
                   coalesce(sum(e.seconds) FILTER (WHERE e.purpose IN ('search', 'screen')), 0.0) search_seconds,
                   coalesce(sum(e.seconds) FILTER (WHERE e.purpose NOT IN ('search', 'screen')), 0.0) finish_seconds
                   FROM c LEFT JOIN evaluations e ON e.run_id = c.run_id AND e.candidate_id = c.id
                   WHERE c.run_id = ? GROUP BY c.id ORDER BY c.beside, c.position"""
        return [CandidateCost(*row) for row in self._db.execute(query, [run_id]).fetchall()]

    def measures(self, run_id: str) -> Measures:
        """What the ledger's lines come to, summed where they lie: thousands of rows need not be read for it."""
        proposals, won = self._moments(_DECIDED, run_id, "seconds", "trained")
        (trainings,) = self._moments(_TRAININGS, run_id, "seconds")
        read, written = self._moments(_ASKED, run_id, "read", "written")
        (params,) = self._moments("SELECT params FROM candidates WHERE run_id = ? AND generation > 0", run_id, "params")
        return Measures(proposals, round(won.total), trainings, read, written, params)

    def _moments(self, rows: str, run_id: str, *columns: str) -> list[Moments]:
        sums = ", ".join(f"coalesce(sum({one}), 0.0), coalesce(sum(1.0 * {one} * {one}), 0.0)" for one in columns)
        query = f"SELECT count(*), {sums} FROM ({rows})"  # noqa: S608 - this file's own texts
        count, *found = self._db.execute(query, [run_id]).fetchone()
        return [Moments(count, *found[place : place + 2]) for place in range(0, len(found), 2)]

    def calls(self, run_id: str) -> list[CallCost]:
        """Requests of a run, summed by what they were made for."""
        query = """SELECT rtrim(rtrim(key, '0123456789'), '/') step, count(*) calls, sum(prompt_tokens) prompt_tokens,
                   sum(completion_tokens) completion_tokens, sum(seconds) seconds
                   FROM model_calls WHERE run_id = ? GROUP BY step ORDER BY step"""
        return [
            CallCost(step, calls, *(sum_ or 0 for sum_ in sums))
            for step, calls, *sums in self._db.execute(query, [run_id]).fetchall()
        ]

    def sums(self, run_id: str) -> RunSums:
        """The sums that every account of the run must come to."""
        attempts = next(
            self._db.query(
                """SELECT count(*) n, coalesce(sum(design_seconds), 0.0) design,
                   coalesce(sum(verify_seconds), 0.0) verify FROM attempts WHERE run_id = ?""",
                [run_id],
            )
        )
        seconds = {
            row["searched"]: row["seconds"]
            for row in self._db.query(
                """SELECT purpose IN ('search', 'screen') searched, sum(seconds) seconds
                   FROM evaluations WHERE run_id = ? GROUP BY 1""",
                [run_id],
            )
        }
        calls: list[CallTotals] = CallTable(self._db).totals(run_id)
        return RunSums(
            proposals=attempts["n"],
            design_seconds=attempts["design"],
            verify_seconds=attempts["verify"],
            search_seconds=seconds.get(1) or 0.0,
            finish_seconds=seconds.get(0) or 0.0,
            calls=sum(one.calls for one in calls),
            prompt_tokens=sum(one.prompt_tokens for one in calls),
            completion_tokens=sum(one.completion_tokens for one in calls),
            call_seconds=sum(one.seconds for one in calls),
        )
