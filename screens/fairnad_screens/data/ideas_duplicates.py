"""What the curation desk shows of an idea's near-duplicates."""

from __future__ import annotations

from typing import NamedTuple

from fairnad_engine.store import Store


class Twin(NamedTuple):
    """An idea of a group; ``alike`` is the percent that it has in common with the first one, None for that one."""

    id: str
    instruction: str
    alike: float | None
    status: str
    grounding: str
    quote: str
    paper: str


def read_twins(store: Store, idea: str) -> tuple[Twin, ...]:
    """The group of near-duplicates that an idea is in, the one to keep first; empty where it is in none."""
    from fairnad_engine.knowledge.near_duplicates import group_of

    here = store.ideas.get(idea)
    group = group_of(here, store.ideas.in_sub(here.sub))
    if group is None:
        return ()
    titles = {
        paper.id: f"{paper.title} ({paper.year})" if paper.year else paper.title for paper in store.curation.papers()
    }
    return tuple(
        Twin(
            one.id,
            one.instruction,
            alike,
            one.status,
            one.grounded_by or ("grounded" if one.grounded else "not grounded"),
            one.quote,
            titles.get(one.paper_id or "", "") or f"no paper, {one.origin}",
        )
        for one, alike in ((group.representative, None), *group.others)
    )
