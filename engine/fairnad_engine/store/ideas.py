"""The idea library with its decisions and edits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.store.connection import now, transaction
from fairnad_engine.store.journal import IdeaJournal
from fairnad_engine.store.knowledge_records import Derivation, IdeaRow
from fairnad_engine.store.records import decode

if TYPE_CHECKING:  # what extracts ideas is not needed to say how many there are
    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.llm.protocol import IdeaBrief, IdeaDraft

STATUSES = ("proposed", "approved", "rejected", "imported")
COUNTS = "SELECT status, count(*) n FROM ideas WHERE origin != 'derived' OR status != 'proposed' GROUP BY 1"


class IdeaTable:
    """The idea library with its decisions and edits."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._journal = IdeaJournal(database)

    def file_extracted(self, paper_id: str, drafts: Sequence[IdeaDraft], template: Template, structured_by: str) -> int:
        """Store a paper's ideas and mark it structured, in one transaction; return how many were new."""
        with transaction(self._db):
            added = sum(self._add_draft(paper_id, draft, template) for draft in drafts)
            self._db.table("papers").update(paper_id, {"structured_by": structured_by})
        return added

    def _add_draft(self, paper_id: str, draft: IdeaDraft, template: Template) -> bool:
        # An edited template refiles ideas, whose ids stay: the same idea read again has another id and is known still.
        # So is one whose words a person has changed since.
        known = """paper_id = :paper AND sub = :sub AND (instruction = :told OR EXISTS (SELECT 1 FROM idea_edits
                   WHERE idea_id = ideas.id AND field = 'instruction' AND old = :told))"""
        values = {"paper": paper_id, "sub": draft.sub, "told": draft.instruction}
        if self._db.table("ideas").count_where(known, values):
            return False
        return self._insert(
            idea_id("extracted", paper_id, draft.sub, draft.instruction),
            paper_id=paper_id,
            level=template.level_of(draft.main),
            main=draft.main,
            sub=draft.sub,
            name=draft.name,
            instruction=draft.instruction,
            quote=draft.quote,
            span_start=draft.span[0] if draft.span else None,
            span_end=draft.span[1] if draft.span else None,
            grounded_by=draft.grounded_by,
            grounding_score=draft.grounding_score,
            quote_given=draft.quote_given,
            origin="extracted",
            status="proposed",
        )

    def add_own(
        self,
        template: Template,
        sub: str,
        name: str,
        instruction: str,
        *,
        origin: str = "own",
        status: str = "approved",
    ) -> str:
        """Store a researcher's own idea and return its id."""
        with transaction(self._db):
            first = "proposed" if status == "approved" else status
            new_id, added = self._add(template, sub, name, instruction, origin, first)
            if added and status == "approved":
                self._journal.approve_added([new_id], origin, "person")
        return new_id

    def add_imported(self, template: Template, ideas: Iterable[tuple[str, str, str]], *, approve: bool) -> int:
        """Store the ideas of a file; return how many are new.

        Args:
            template: The template that the ideas are filed under.
            ideas: Sub-category, name and instruction of each.
            approve: Approve the new ones, which is one operation; otherwise their status is ``imported``.
        """
        with transaction(self._db):
            found = [self._add(template, *one, "imported", "imported") for one in ideas]
            new = [new_id for new_id, added in found if added]
            if approve and new:
                self._journal.approve_added(new, "imported", "person")
        return len(new)

    def _add(
        self, template: Template, sub: str, name: str, instruction: str, origin: str, status: str
    ) -> tuple[str, bool]:
        main = template.sub(sub).main
        new_id = idea_id(origin, "", sub, instruction)
        added = self._insert(
            new_id,
            paper_id=None,
            level=template.level_of(main),
            main=main,
            sub=sub,
            name=name,
            instruction=instruction,
            quote="",
            span_start=None,
            span_end=None,
            origin=origin,
            status=status,
        )
        return new_id, added

    def _insert(self, new_id: str, **values: object) -> bool:
        if self._db.table("ideas").count_where("id = ?", [new_id]):
            return False
        row = {"id": new_id, **values, "decided_by": "", "decided_at": "", "created_at": now()}
        self._db.table("ideas").insert(row)
        return True

    def add_derived(self, idea: IdeaBrief, level: str, ancestry: Derivation) -> None:
        """Store what a search derived, undecided; doing so again changes nothing, nor a decision made since.

        Args:
            idea: The idea; its id comes of its content.
            level: The level of its category.
            ancestry: Where it was derived.
        """
        with transaction(self._db):
            self._insert(
                idea.id,
                paper_id=None,
                level=level,
                main=idea.main,
                sub=idea.sub,
                name=idea.name,
                instruction=idea.instruction,
                quote="",
                span_start=None,
                span_end=None,
                origin="derived",
                status="proposed",
            )
            self._db.table("idea_ancestry").insert({"idea_id": idea.id, **asdict(ancestry)}, ignore=True)

    def derivations(self, idea: str) -> tuple[Derivation, ...]:
        """Where an idea was derived, in order; nothing for one that was not."""
        columns = "run_id, candidate_id, parent_id, kind, from_id"
        query = f"SELECT {columns} FROM idea_ancestry WHERE idea_id = ? ORDER BY rowid"  # noqa: S608
        return tuple(Derivation(**dict(row)) for row in self._db.query(query, [idea]))

    def decide(self, ids: Iterable[str], status: str, by: str) -> int:
        """Set the status of ideas, with a history entry each; return how many changed.

        Raises:
            InputError: There is no such idea.
        """
        return self._journal.decide(ids, status, by)

    def edit(self, one: str, changes: dict[str, str], by: str) -> IdeaRow:
        """Change fields of an idea, keeping the old values."""
        found = self.get(one).id
        self._journal.edit(found, changes, by)
        return self.get(found)

    def get(self, one: str) -> IdeaRow:
        """One idea by id or by a unique beginning of it.

        Raises:
            InputError: No idea, or several, have this id.
        """
        rows = list(self._db.query("SELECT * FROM ideas WHERE id LIKE ? || '%' LIMIT 2", [one]))
        if len(rows) != 1:
            raise InputError(f"idea {one!r}: {'several' if rows else 'no'} ideas have this id; see: ideas list")
        return _idea(rows[0])

    def all(self, status: str | None = None) -> list[IdeaRow]:
        """Ideas in library order: by category, then as they came."""
        where, arguments = ("WHERE status = ?", [status]) if status else ("", [])
        return [
            _idea(row)
            for row in self._db.query(f"SELECT * FROM ideas {where} ORDER BY sub, rowid", arguments)  # noqa: S608
        ]

    def in_sub(self, sub: str) -> list[IdeaRow]:
        """The ideas of a sub-category as they came."""
        return [_idea(row) for row in self._db.query("SELECT * FROM ideas WHERE sub = ? ORDER BY rowid", [sub])]

    def counts(self) -> dict[str, int]:
        """Number of ideas by status; derived ones that nobody decided about wait for no one and are left out."""
        found = {row["status"]: row["n"] for row in self._db.query(COUNTS)}
        return {status: found.get(status, 0) for status in STATUSES}

    def approved(self) -> list[tuple[str, str, str]]:
        """(id, main, sub) of every approved idea, in a fixed order."""
        query = "SELECT id, main, sub FROM ideas WHERE status = 'approved' ORDER BY id"
        return [(row["id"], row["main"], row["sub"]) for row in self._db.query(query)]


def idea_id(origin: str, paper_id: str, sub: str, instruction: str) -> str:
    """Id from content, so that extracting the same idea again adds nothing."""
    text = "\x1f".join((origin, paper_id, sub, " ".join(instruction.split()).lower()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _idea(row: object) -> IdeaRow:
    values = decode(row)
    start, end = values.pop("span_start"), values.pop("span_end")
    values["span"] = None if start is None else (start, end)
    return IdeaRow(**values)


def idea_document(idea: IdeaRow, derivations: Sequence[Derivation] = ()) -> dict[str, object]:
    """An idea as it is exported and printed; a derived one has no paper in which it could be grounded.

    Args:
        idea: The idea.
        derivations: Where it was derived.
    """
    document = asdict(idea)
    document["span"] = list(idea.span) if idea.span else None
    document["grounded"] = None if idea.origin == "derived" else idea.grounded
    if idea.origin == "derived":
        document["ancestry"] = [asdict(one) for one in derivations]
    return document
