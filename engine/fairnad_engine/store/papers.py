"""The workspace's papers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.store.connection import now, transaction
from fairnad_engine.store.knowledge_records import PaperLine, PaperRow
from fairnad_engine.store.records import Row, decode

if TYPE_CHECKING:  # the readers of papers are not needed to say how many there are
    from fairnad_engine.knowledge.papers import PaperText


class PaperTable:
    """The workspace's papers."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, paper: PaperText) -> bool:
        """Store a paper; False where the same content is already there."""
        with transaction(self._db):
            if self._db.table("papers").count_where("id = ?", [paper.id]):
                return False
            self._db.table("papers").insert(
                {
                    "id": paper.id,
                    "title": paper.title,
                    "authors_json": json.dumps(paper.authors),
                    "year": paper.year,
                    "venue": paper.venue,
                    "arxiv": paper.arxiv,
                    "abstract": paper.abstract,
                    "text": paper.text,
                    "sections_json": json.dumps([[s.title, s.start, s.end] for s in paper.sections]),
                    "source": paper.source,
                    "added_at": now(),
                    "reason": "",
                    "screened_by": "",
                    "structured_by": "",
                }
            )
        return True

    def all(self) -> list[PaperRow]:
        """Every paper, by year and title."""
        return [_paper(row) for row in self._db.query("SELECT * FROM papers ORDER BY year, title, id")]

    def get(self, paper_id: str) -> PaperRow:
        """One paper by id or by a unique beginning of it.

        Raises:
            InputError: No paper, or several, have this id.
        """
        rows = list(self._db.query("SELECT * FROM papers WHERE id LIKE ? || '%' LIMIT 2", [paper_id]))
        if len(rows) != 1:
            raise InputError(f"paper {paper_id!r}: {'several' if rows else 'no'} papers have this id; see: papers list")
        return _paper(rows[0])

    def listing(self) -> list[PaperLine]:
        """Every paper without its text, by year and title."""
        columns = "id, title, authors_json, year, relevant, reason, screened_by, structured_by"
        rows = self._db.query(f"SELECT {columns} FROM papers ORDER BY year, title, id")  # noqa: S608
        return [PaperLine(**_screened(decode(row))) for row in rows]

    def override(self, paper_id: str, relevant: bool, reason: str = "") -> None:
        """Let a person's word about a paper stand over any model's; one that is kept after all is read again."""
        with transaction(self._db):
            changes: dict[str, object] = {"relevant": int(relevant), "reason": reason, "screened_by": "person"}
            if relevant and not self._db.table("ideas").count_where("paper_id = ?", [paper_id]):
                changes["structured_by"] = ""
            self._db.table("papers").update(paper_id, changes)

    def note_refusal(self, paper_id: str, reason: str) -> None:
        """Say why a paper could not be screened; it stays unscreened."""
        self._db.table("papers").update(paper_id, {"reason": reason})

    def set_screening(self, paper_id: str, relevant: bool, reason: str, by: str) -> None:
        """Record whether a paper is kept, and why."""
        self._db.table("papers").update(paper_id, {"relevant": int(relevant), "reason": reason, "screened_by": by})

    def count(self) -> int:
        """Number of papers."""
        return int(self._db.table("papers").count)

    def count_unstructured(self) -> int:
        """Number of papers that no model has structured yet."""
        return int(self._db.table("papers").count_where("structured_by = ''"))


def _paper(row: object) -> PaperRow:
    values = _screened(decode(row))
    values["sections"] = tuple((title, start, end) for title, start, end in values["sections"])
    return PaperRow(**values)


def _screened(values: Row) -> Row:
    values["authors"] = tuple(values["authors"])
    values["relevant"] = None if values["relevant"] is None else bool(values["relevant"])
    return values
