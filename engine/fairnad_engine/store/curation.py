"""What the curation desk reads: all ideas at once, then only those that changed, and everything about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlite_utils import Database

from fairnad_engine.store.journal import MERGED_BY
from fairnad_engine.store.knowledge_records import IdeaRow

_LINE = "id, status, level, sub, paper_id, origin, span_start IS NOT NULL AS grounded, name, instruction, quote"
_AROUND = 1500  # characters of a paragraph that are shown before and after a quote, at most


class IdeaLine(NamedTuple):
    """An idea as lists hold it, thousands at a time; ``place`` orders those of one sub-category as they came."""

    id: str
    status: str
    level: str
    sub: str
    paper_id: str | None
    origin: str
    grounded: int
    name: str
    instruction: str
    quote: str
    place: int


@dataclass(frozen=True)
class PaperName:
    """A paper as lists name it."""

    id: str
    title: str
    year: int | None


@dataclass(frozen=True)
class SubPlace:
    """A sub-category of the newest template, and where it stands."""

    sub: str
    name: str
    main: str
    main_name: str
    level: str


@dataclass(frozen=True)
class HistoryEntry:
    """A decision (``field`` is ``status``) or an edit."""

    at: str
    by: str
    field: str
    old: str
    new: str


@dataclass(frozen=True)
class SourceEntry:
    """An idea that was merged into another one, and its paper."""

    idea_id: str
    instruction: str
    title: str | None
    year: int | None


@dataclass(frozen=True)
class AncestryEntry:
    """A backbone for which an idea was derived; ``origin`` is the instruction of what it was derived from."""

    kind: str
    run: str
    candidate: str
    parent: str
    origin: str | None


@dataclass(frozen=True)
class IdeaStory:
    """Everything about one idea.

    Attributes:
        place: Its sub-category; None where the newest template has no such.
        passage: The paragraph of the paper that holds the quote.
        quoted: Characters of the passage that are the quote; None where the idea is not grounded.
        history: Oldest first.
        sources: Ideas that were merged into it.
        merged_into: Name of the idea that this one was merged into.
        ancestry: Where a search derived it.
    """

    idea: IdeaRow
    place: SubPlace | None
    paper: PaperName | None
    passage: str
    quoted: tuple[int, int] | None
    history: tuple[HistoryEntry, ...]
    sources: tuple[SourceEntry, ...]
    merged_into: str | None
    ancestry: tuple[AncestryEntry, ...] = ()


class CurationTable:
    """Reads for people who decide about ideas."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def sequence(self) -> int:
        """A number that grows with every change of an idea."""
        return int(self._db.conn.execute("SELECT coalesce(max(seq), 0) FROM idea_changes").fetchone()[0])

    def lines(self) -> list[IdeaLine]:
        """Every idea in library order: by sub-category, then as they came."""
        query = f"SELECT {_LINE}, rowid FROM ideas ORDER BY sub, rowid"  # noqa: S608
        return [IdeaLine._make(row) for row in self._db.conn.execute(query)]

    def changed_since(self, sequence: int) -> list[IdeaLine]:
        """The ideas that were added or changed after a :meth:`sequence`, in library order."""
        query = f"""SELECT {_LINE}, rowid FROM ideas WHERE id IN (SELECT idea_id FROM idea_changes WHERE seq > ?)
                    ORDER BY sub, rowid"""  # noqa: S608
        return [IdeaLine._make(row) for row in self._db.conn.execute(query, [sequence])]

    def papers(self) -> list[PaperName]:
        """The papers' names."""
        return [PaperName(*row) for row in self._db.conn.execute("SELECT id, title, year FROM papers ORDER BY rowid")]

    def subs(self) -> list[SubPlace]:
        """The sub-categories of the newest template, in its order; none before there is a template."""
        query = """SELECT s.id, s.name, m.id, m.name, s.level FROM template_nodes s
                   JOIN template_nodes m ON m.version = s.version AND m.id = s.parent AND m.kind = 'main'
                   WHERE s.kind = 'sub' AND s.version = (SELECT max(version) FROM template_versions)
                   ORDER BY s.position"""
        return [SubPlace(*row) for row in self._db.conn.execute(query)]

    def story(self, idea: IdeaRow) -> IdeaStory:
        """Read everything about an idea."""
        paper, text = self._paper(idea.paper_id)
        passage, quoted = _passage(text, idea.span)
        merged = None
        if idea.decided_by.startswith(MERGED_BY):
            query = "SELECT instruction FROM ideas WHERE id = ?"
            row = self._db.conn.execute(query, [idea.decided_by.removeprefix(MERGED_BY)]).fetchone()
            merged = row[0] if row else None
        return IdeaStory(
            idea=idea,
            place=next((one for one in self.subs() if one.sub == idea.sub), None),
            paper=paper,
            passage=passage,
            quoted=quoted,
            history=self._history(idea.id),
            sources=self._sources(idea.id),
            merged_into=merged,
            ancestry=self._ancestry(idea.id),
        )

    def _paper(self, paper_id: str | None) -> tuple[PaperName | None, str]:
        row = self._db.conn.execute("SELECT id, title, year, text FROM papers WHERE id = ?", [paper_id]).fetchone()
        return (None, "") if row is None else (PaperName(row[0], row[1], row[2]), row[3])

    def _history(self, idea: str) -> tuple[HistoryEntry, ...]:
        query = """SELECT at, decided_by, 'status', old_status, new_status, id, 0 FROM idea_decisions
                   WHERE idea_id = :id UNION ALL SELECT at, edited_by, field, old, new, id, 1 FROM idea_edits
                   WHERE idea_id = :id AND field NOT IN ('main', 'level') ORDER BY 1, 7, 6"""
        return tuple(HistoryEntry(*row[:5]) for row in self._db.conn.execute(query, {"id": idea}).fetchall())

    def _ancestry(self, idea: str) -> tuple[AncestryEntry, ...]:
        query = """SELECT a.kind, a.run_id, a.candidate_id, a.parent_id, i.instruction FROM idea_ancestry a
                   LEFT JOIN ideas i ON i.id = a.from_id WHERE a.idea_id = ? ORDER BY a.rowid"""
        return tuple(AncestryEntry(*row) for row in self._db.conn.execute(query, [idea]))

    def _sources(self, idea: str) -> tuple[SourceEntry, ...]:
        # One that was approved again later is an idea of its own.
        query = """SELECT i.id, i.instruction, p.title, p.year FROM idea_sources s JOIN ideas i ON i.id = s.source_id
                   LEFT JOIN papers p ON p.id = i.paper_id
                   WHERE s.idea_id = ? AND i.decided_by LIKE 'merged:%' ORDER BY i.rowid"""
        return tuple(SourceEntry(*row) for row in self._db.conn.execute(query, [idea]))


def _passage(text: str, span: tuple[int, int] | None) -> tuple[str, tuple[int, int] | None]:
    """The paragraph around a span, and where the span lies in it."""
    if span is None or not 0 <= span[0] < span[1] <= len(text):
        return "", None
    start, end = span
    first = text.rfind("\n\n", 0, start)
    last = text.find("\n\n", end)
    first = max(first + 2 if first >= 0 else 0, start - _AROUND)
    last = min(last if last >= 0 else len(text), end + _AROUND)
    return text[first:last], (start - first, end - first)
