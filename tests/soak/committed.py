"""What a reader saw committed, and what of it must never change again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

# The answers to these questions only ever grow.
GROWING = {
    "evaluations": "SELECT run_id, candidate_id, purpose, seed, status, accuracy, weights, seconds FROM evaluations",
    "epochs": "SELECT * FROM epochs",
    "candidates": """SELECT run_id, id, position, parent_id, source, graph, weights, params, macs, exact_hash, width,
                     created_at FROM candidates""",
    "scores": "SELECT run_id, id, status, accuracy FROM candidates WHERE status = 'trained'",
    "replies": """SELECT run_id, generation, slot, step, attempt, purpose, design_json, source FROM attempts
                  WHERE design_json IS NOT NULL""",
    "verdicts": """SELECT run_id, generation, slot, step, attempt, verdict_json FROM attempts
                   WHERE verdict_json IS NOT NULL""",
    "slots": "SELECT run_id, generation, slot, state, failure FROM slots WHERE state != 'pending'",
    "generations": "SELECT * FROM generations WHERE state = 'done'",
    "events": "SELECT * FROM run_events",
    "calls": "SELECT * FROM model_calls",
    "ideas": "SELECT id, instruction, status FROM ideas",
}


class Committed:
    """Rows that were acknowledged so far.

    Attributes:
        rows: How many there are.
        lost: Those that were there and are not, or are otherwise now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, set[tuple]] = {name: set() for name in GROWING}
        self.lost: list[tuple] = []

    @property
    def rows(self) -> int:
        """Rows seen so far."""
        return sum(map(len, self._known.values()))

    def look(self) -> set[str]:
        """Read what is committed now, beside whoever writes; returns the trainings that are stored, as job names."""
        reader = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30)
        try:
            reader.execute("BEGIN")
            for name, query in GROWING.items():
                now = set(reader.execute(query))
                self.lost += [(name, *row) for row in self._known[name] - now]
                self._known[name] = now | self._known[name]
        finally:
            reader.close()
        return {f"{run}/{one}/{purpose}/{seed}" for run, one, purpose, seed, *_ in self._known["evaluations"]}

    def corruption(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        reader = sqlite3.connect(self._path, timeout=30)
        try:
            told = [row[0] for row in reader.execute("PRAGMA integrity_check")]
            told += [str(row) for row in reader.execute("PRAGMA foreign_key_check")]
            return [one for one in told if one != "ok"]
        finally:
            reader.close()

    def files(self) -> set[str]:
        """Every file that a row names."""
        reader = sqlite3.connect(self._path, timeout=30)
        try:
            named = list(reader.execute("SELECT graph FROM candidates UNION SELECT weights FROM candidates"))
            named += list(reader.execute("SELECT weights FROM evaluations WHERE weights IS NOT NULL"))
            named += list(
                reader.execute(
                    """SELECT json_extract(verdict_json, '$.graph') FROM attempts
                       UNION SELECT json_extract(verdict_json, '$.weights') FROM attempts"""
                )
            )
        finally:
            reader.close()
        return {name for (name,) in named if name}


def repeated(trainings: list[dict], in_flight: Counter[str]) -> list[str]:
    """Trainings that were started more often than once and once more for each kill that met them in flight."""
    starts = Counter(one["job"] for one in trainings if one["what"] == "start")
    return [f"{job}: {n} starts, {in_flight[job]} kills" for job, n in starts.items() if n > 1 + in_flight[job]]
