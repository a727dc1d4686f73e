"""What the curation desk reads: everything once, and afterwards only what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fairnad_engine.store import Store
from fairnad_engine.store.curation import IdeaLine, IdeaStory, PaperName, SubPlace
from fairnad_engine.store.outcomes import IdeaOutcome

UNDECIDED = ("proposed", "imported")


class DeskLine(NamedTuple):
    """An idea in memory; ``search`` is all its text, case-folded, ``order`` its place in the library."""

    id: str
    status: str
    level: str
    sub: str
    paper_id: str | None
    origin: str
    grounded: bool
    text: str
    search: str
    order: tuple[str, int]

    @property
    def undecided(self) -> bool:
        """Whether somebody has yet to decide about it."""
        return self.status in UNDECIDED


class IdeasSnapshot(NamedTuple):
    """What changed.

    Attributes:
        sequence: How far the store's changes were read.
        whole: Whether ``lines`` are all ideas, not only those that changed.
        lines: Ideas in library order.
        papers: The papers' names, or None where they are as they were.
        subs: The template's sub-categories, or None where they are as they were.
        known: What to hand to the next read.
        outcomes: What ideas brought, or None where that is as it was.
    """

    sequence: int
    whole: bool
    lines: tuple[DeskLine, ...]
    papers: tuple[PaperName, ...] | None
    subs: tuple[SubPlace, ...] | None
    known: Known
    outcomes: Mapping[str, IdeaOutcome] | None = None


class Known(NamedTuple):
    """What the desk has read: changes of ideas, number of papers, versions of the template and of the outcomes."""

    sequence: int = -1
    papers: int = -1
    template: int = -1
    outcomes: tuple[int, ...] = ()


def read_ideas(store: Store, known: Known) -> IdeasSnapshot:
    """Read what is not known yet."""
    # The number first: what changes while the rows are read is read again next time.
    now = Known(
        store.curation.sequence(),
        store.papers.count(),
        (store.templates.newest() or (0, ""))[0],
        store.outcomes.version(),
    )
    whole = known.sequence < 0
    rows: Iterable[IdeaLine] = ()
    if whole:
        rows = store.curation.lines()
    elif now.sequence != known.sequence:
        rows = store.curation.changed_since(known.sequence)
    return IdeasSnapshot(
        sequence=now.sequence,
        whole=whole,
        lines=tuple(desk_line(row) for row in rows),
        papers=tuple(store.curation.papers()) if now.papers != known.papers else None,
        subs=tuple(store.curation.subs()) if now.template != known.template else None,
        known=now,
        outcomes=store.outcomes.of_ideas() if now.outcomes != known.outcomes else None,
    )


def desk_line(row: IdeaLine) -> DeskLine:
    """An idea as the desk keeps it."""
    quote = "" if row.quote in row.instruction else row.quote
    return DeskLine(
        row.id,
        row.status,
        row.level,
        row.sub,
        row.paper_id,
        row.origin,
        bool(row.grounded),
        row.instruction,
        f"{row.name}\n{row.instruction}\n{quote}".casefold(),
        (row.sub, row.place),
    )


def read_story(store: Store, idea: str) -> IdeaStory:
    """Read everything about one idea."""
    return store.curation.story(store.ideas.get(idea))
