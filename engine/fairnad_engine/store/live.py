"""What somebody who looks on a run reads every second: few columns, and only rows that may have changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True)
class CandidateLine:
    """A candidate without its source; ``accuracy`` is on the validation split, percent."""

    row: int
    id: str
    position: int
    generation: int
    stage: int
    slot: int
    idea_id: str | None
    change: str
    params: int
    macs: int
    status: str
    failure: str | None
    accuracy: float | None
    step: int = 1
    edit_type: str = ""

    @property
    def open(self) -> bool:
        """Whether its state still changes."""
        return self.status not in ("trained", "failed", "screened")


@dataclass(frozen=True)
class CallLine:
    """A model call without its reply; ``at`` is ISO 8601 in UTC."""

    id: int
    at: str
    prompt_tokens: int
    completion_tokens: int


class LiveTable:
    """Light and incremental readings of a run."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def budget(self, run_id: str) -> int:
        """Models that a run may train, as it stands now."""
        query = "SELECT json_extract(config_json, '$.budget.trained') n FROM runs WHERE id = ?"
        return int(next(self._db.query(query, [run_id]))["n"])

    def runs(self) -> list[tuple[str, str]]:
        """(id, name) of every run, oldest first."""
        return [(row["id"], row["name"]) for row in self._db.query("SELECT id, name FROM runs ORDER BY rowid")]

    def candidates(self, run_id: str, after: int = 0, also: Iterable[int] = ()) -> list[CandidateLine]:
        """Candidates stored after a row, and those of named rows, as they are now."""
        known = list(also)
        marks = ",".join("?" * len(known))
        query = f"""SELECT rowid AS row, id, position, generation, stage, slot, idea_id, change, params, macs, status,
                    failure, accuracy, step, edit_type FROM candidates
                    WHERE run_id = ? AND (rowid > ? OR rowid IN ({marks})) ORDER BY rowid"""  # noqa: S608
        return [CandidateLine(**dict(row)) for row in self._db.query(query, [run_id, after, *known])]

    def proposals(self, run_id: str, after: int = 0) -> list[tuple[int, str | None, int]]:
        """(generation, failure class or None, number) of proposals in generations after one."""
        query = """SELECT generation, failure, count(*) n FROM attempts
                   WHERE run_id = ? AND generation > ? GROUP BY 1, 2 ORDER BY 1, 2"""
        return [(row["generation"], row["failure"], row["n"]) for row in self._db.query(query, [run_id, after])]

    def screening(self, run_id: str, through: int) -> tuple[int, int]:
        """Models of generations up to one that went on to full training, and that stopped after the short schedule."""
        query = """SELECT sum(c.status = 'screened') stopped, sum(c.status != 'screened') promoted
                   FROM candidates c JOIN evaluations e ON e.run_id = c.run_id AND e.candidate_id = c.id
                   WHERE c.run_id = ? AND c.generation <= ? AND e.purpose = 'screen' AND e.status = 'done'
                   AND e.message != ''"""
        row = next(self._db.query(query, [run_id, through]))
        return row["promoted"] or 0, row["stopped"] or 0

    def turns(self, run_id: str, through: int) -> dict[str, int]:
        """Turns by main and by sub-category that were drawn up to a generation."""
        query = """SELECT main, sub, count(*) n FROM slots
                   WHERE run_id = ? AND generation <= ? AND sub IS NOT NULL GROUP BY 1, 2"""
        turns: dict[str, int] = {}
        for row in self._db.query(query, [run_id, through]):
            for node in (row["main"], row["sub"]):
                turns[node] = turns.get(node, 0) + row["n"]
        return turns

    def calls(self, run_id: str, after: int = 0) -> list[CallLine]:
        """Model calls of a run after one."""
        query = """SELECT id, at, prompt_tokens, completion_tokens FROM model_calls
                   WHERE run_id = ? AND id > ? ORDER BY id"""
        return [CallLine(**dict(row)) for row in self._db.query(query, [run_id, after])]

    def categories(self, version: int) -> list[tuple[str, str | None, str]]:
        """(id, main category or None, name) of a template version's main and sub-categories, in its order."""
        query = """SELECT id, CASE kind WHEN 'sub' THEN parent END parent, name FROM template_nodes
                   WHERE version = ? AND kind IN ('main', 'sub') ORDER BY position, kind, rowid"""
        return [(row["id"], row["parent"], row["name"]) for row in self._db.query(query, [version])]

    def idea_names(self, ids: Iterable[str]) -> dict[str, str]:
        """Names of ideas by id."""
        wanted = sorted(set(ids))
        marks = ",".join("?" * len(wanted))
        query = f"SELECT id, name FROM ideas WHERE id IN ({marks})"  # noqa: S608
        return {row["id"]: row["name"] for row in self._db.query(query, wanted)}
