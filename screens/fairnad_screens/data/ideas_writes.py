"""Functions that the curation desk runs on the store's threads beside its reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.store import Store
from fairnad_engine.store.curation import IdeaStory, SubPlace
from fairnad_engine.store.journal import Operation, Undone
from fairnad_engine.text import sanitize


def undo_small(store: Store) -> Undone | Operation | None:
    """Undo the last operation where it is about one idea; a larger one is returned, to be asked about first."""
    last = store.journal.last()
    if last is None:
        return None
    return store.journal.undo(last.id) if last.ideas == 1 else last


def subs_of_workspace(store: Store) -> tuple[SubPlace, ...]:
    """The template's sub-categories; a new workspace gets the template that ships."""
    from fairnad_engine.workspace import template_of

    template_of(store)
    return tuple(store.curation.subs())


def add_own_idea(store: Store, sub: str, text: str) -> tuple[str, bool]:
    """Add an idea of the user's own; return its id and whether it is new."""
    from fairnad_engine.workspace import template_of

    before = store.journal.last()
    new = store.ideas.add_own(template_of(store)[0], sub, " ".join(text.split()[:6]), text)
    return new, store.journal.last() != before


def copy_of(store: Store, ids: Sequence[str], path: Path) -> str:
    """Ideas as text for other programs, also written to a file; nothing in it acts on a shell it is pasted into."""
    text = "\n\n".join(_as_text(store.curation.story(store.ideas.get(one))) for one in ids)
    text = sanitize(text, keep_newlines=True)
    write_atomically(path, f"{text}\n".encode())
    return text


def _as_text(story: IdeaStory) -> str:
    idea = story.idea
    lines = [idea.instruction, f"({idea.sub}, {idea.status}, {idea.origin}, id {idea.id})"]
    if story.paper is not None:
        year = f" ({story.paper.year})" if story.paper.year else ""
        lines.append(f"From: {story.paper.title}{year}")
    if idea.quote:
        lines.append(f"“{idea.quote}”" if story.quoted else f"“{idea.quote}” (not found in the paper)")
    return "\n".join(lines)
