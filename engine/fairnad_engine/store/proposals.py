"""Categories that papers suggest for the template, until a person takes them over or refuses them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlite_utils import Database

from fairnad_engine.llm.protocol import AttributeDraft
from fairnad_engine.store.connection import now, transaction

Status = Literal["open", "accepted", "refused"]


@dataclass(frozen=True)
class ProposalRow:
    """One paper's suggestion; fields as in :class:`fairnad_engine.llm.protocol.AttributeDraft`."""

    id: int
    paper_id: str
    model: str
    level: str
    main: str
    name: str
    definition: str
    example: str
    quote: str
    span: tuple[int, int]
    status: Status
    title: str
    main_definition: str = ""
    second_example: str = ""


class ProposalTable:
    """Suggestions, and which papers were read for them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def read_by(self, stamp: str) -> set[str]:
        """The papers that were read under a stamp (model and template)."""
        rows = self._db.query("SELECT paper_id FROM template_readings WHERE stamp = ?", [stamp])
        return {row["paper_id"] for row in rows}

    def add(self, paper_id: str, stamp: str, model: str, drafts: Sequence[AttributeDraft], ungrounded: int) -> None:
        """Store what a paper suggests and that it was read; what it suggested before and is still open goes."""
        with transaction(self._db):
            self._db.table("template_proposals").delete_where("paper_id = ? AND status = 'open'", [paper_id])
            at = now()
            self._db.table("template_proposals").insert_all(
                {
                    "paper_id": paper_id,
                    "model": model,
                    "level": one.level,
                    "main": one.main,
                    "name": one.name,
                    "definition": one.definition,
                    "example": one.example,
                    "main_definition": one.main_definition,
                    "second_example": one.second_example,
                    "quote": one.quote,
                    "span_start": one.span[0],
                    "span_end": one.span[1],
                    "status": "open",
                    "at": at,
                }
                for one in drafts
            )
            row = {"paper_id": paper_id, "stamp": stamp, "ungrounded": ungrounded, "at": at}
            self._db.table("template_readings").upsert(row, pk=("paper_id", "stamp"))

    def with_status(self, status: Status) -> list[ProposalRow]:
        """The suggestions of a status, as they came."""
        query = """SELECT p.id, p.paper_id, p.model, p.level, p.main, p.name, p.definition, p.example, p.quote,
                   p.span_start, p.span_end, p.status, papers.title, p.main_definition, p.second_example
                   FROM template_proposals p JOIN papers ON papers.id = p.paper_id
                   WHERE p.status = ? ORDER BY p.id"""
        found = []
        for row in self._db.query(query, [status]):
            span = row.pop("span_start"), row.pop("span_end")
            found.append(ProposalRow(**row, span=span))
        return found

    def count_open(self) -> int:
        """How many suggestions are open."""
        return int(self._db.table("template_proposals").count_where("status = 'open'"))

    def decide(self, ids: Iterable[int], status: Status) -> None:
        """Set the status of suggestions."""
        query = "UPDATE template_proposals SET status = ? WHERE id IN (SELECT value FROM json_each(?))"
        with transaction(self._db):
            self._db.execute(query, [status, json.dumps(list(ids))])
