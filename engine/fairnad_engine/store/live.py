"""What is read of a run again and again, by selection and by whoever looks on: few columns, no programs.

Of candidates only those are read that are new or may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlite_utils import Database


class CandidateLine(NamedTuple):
    """A candidate without its source; ``accuracy`` is on the validation split, percent.

    A named tuple, because a run has thousands of them and each takes a tenth of a dataclass's time to make.
    """

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
    parent_id: str | None = None
    exact_hash: str = ""
    latency: float | None = None

    @property
    def open(self) -> bool:
        """Whether its state still changes."""
        return self.status not in ("trained", "failed", "screened")


_LINE = f"SELECT rowid, {', '.join(CandidateLine._fields[1:])} FROM candidates"  # noqa: S608


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
        # Two queries, because one with an OR would scan the whole table.
        known = [row for row in also if row <= after]
        marks = ",".join("?" * len(known))
        parts = ((f"IN ({marks})", known), ("> ?", [after])) if known else (("> ?", [after]),)
        found: list[CandidateLine] = []
        for where, rows in parts:
            query = f"{_LINE} WHERE run_id = ? AND rowid {where} ORDER BY rowid"
            found += map(CandidateLine._make, self._db.conn.execute(query, [run_id, *rows]).fetchall())
        return found

    def sources(self, run_id: str, through: int) -> dict[str, str]:
        """Programs of candidates up to a generation, by id, in their order of position."""
        query = "SELECT id, source FROM candidates WHERE run_id = ? AND generation <= ? ORDER BY position"
        return {row["id"]: row["source"] for row in self._db.query(query, [run_id, through])}

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
        return [CallLine(*row) for row in self._db.execute(query, [run_id, after]).fetchall()]

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
        return dict(self._db.execute(query, wanted).fetchall())
