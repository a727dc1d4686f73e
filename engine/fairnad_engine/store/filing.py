"""Under which sub-category ideas are filed, counted and changed as a whole when the template changes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from fairnad_engine.store.connection import now, transaction


@dataclass(frozen=True)
class IdeaCount:
    """Ideas of a category or paper: all, and how many of them are approved."""

    approved: int = 0
    all: int = 0


@dataclass(frozen=True)
class Place:
    """Where an idea is filed."""

    level: str
    main: str
    sub: str


class FilingTable:
    """Ideas by sub-category and by paper."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def per_sub(self) -> dict[str, IdeaCount]:
        """Ideas by sub-category."""
        return self._counts("sub")

    def per_paper(self) -> dict[str, IdeaCount]:
        """Ideas by paper."""
        return self._counts("paper_id")

    def texts(self, subs: Collection[str]) -> list[tuple[str, str, tuple[str, str, str]]]:
        """(id, sub, (name, instruction, quote)) of every idea filed under one of the sub-categories."""
        query = """SELECT id, sub, name, instruction, quote FROM ideas
                   WHERE sub IN (SELECT value FROM json_each(?)) ORDER BY id"""
        rows = self._db.query(query, [json.dumps(list(subs))])
        return [(row["id"], row["sub"], (row["name"], row["instruction"], row["quote"])) for row in rows]

    def all_texts(self) -> list[tuple[str, str, tuple[str, str, str]]]:
        """(id, sub, (name, instruction, quote)) of every idea."""
        rows = self._db.query("SELECT id, sub, name, instruction, quote FROM ideas ORDER BY id")
        return [(row["id"], row["sub"], (row["name"], row["instruction"], row["quote"])) for row in rows]

    def by_people(self) -> set[str]:
        """Ideas that a person wrote or filed elsewhere than they came; a change of the template leaves them there."""
        query = """SELECT id FROM ideas WHERE origin = 'own' UNION
                   SELECT idea_id FROM idea_edits WHERE field = 'sub' AND edited_by NOT LIKE 'template:%'"""
        return {row["id"] for row in self._db.query(query)}

    def refile(self, places: Mapping[str, Place], by: str) -> int:
        """File ideas elsewhere, keeping the old values as edits; return how many moved.

        Args:
            places: The new place of each idea, by its full id.
            by: Who does it, for example ``template:3``: the template version that asks for it.
        """
        moved = 0
        with transaction(self._db):
            for idea, place in places.items():
                row = next(self._db.query("SELECT level, main, sub FROM ideas WHERE id = ?", [idea]), None)
                if row is None or (row["level"], row["main"], row["sub"]) == (place.level, place.main, place.sub):
                    continue
                at = now()
                new = {"level": place.level, "main": place.main, "sub": place.sub}
                self._db.table("idea_edits").insert_all(
                    {"idea_id": idea, "field": field, "old": row[field], "new": value, "edited_by": by, "at": at}
                    for field, value in new.items()
                    if row[field] != value
                )
                self._db.table("ideas").update(idea, new)
                moved += 1
        return moved

    def moved_by(self, by: str) -> dict[str, str]:
        """The former sub-category of each idea that ``by`` refiled and that nobody has moved since."""
        query = """SELECT e.idea_id, e.old FROM idea_edits e JOIN ideas i ON i.id = e.idea_id AND i.sub = e.new
                   WHERE e.edited_by = ? AND e.field = 'sub' ORDER BY e.id"""
        return {row["idea_id"]: row["old"] for row in self._db.query(query, [by])}

    def origin_of(self, sub: str, by: str) -> str | None:
        """The sub-category that most ideas came from when ``by`` refiled some under ``sub``; None where none did."""
        query = """SELECT old, count(*) AS n FROM idea_edits WHERE edited_by = ? AND field = 'sub' AND new = ?
                   GROUP BY old ORDER BY n DESC, old LIMIT 1"""
        row = next(self._db.query(query, [by, sub]), None)
        return None if row is None else str(row["old"])

    def _counts(self, column: str) -> dict[str, IdeaCount]:
        query = f"""SELECT {column} AS place, count(*) AS n, sum(status = 'approved') AS approved FROM ideas
                    WHERE {column} IS NOT NULL GROUP BY 1"""  # noqa: S608
        return {row["place"]: IdeaCount(row["approved"], row["n"]) for row in self._db.query(query)}
