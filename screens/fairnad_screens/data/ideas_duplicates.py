"""What the curation desk shows of an idea's near-duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from fairnad_engine.store import Store

if TYPE_CHECKING:
    from fairnad_engine.knowledge.near_duplicates import DuplicateGroup


class Twin(NamedTuple):
    """An idea of a group; ``alike`` is the percent that it has in common with the first one, None for that one."""

    id: str
    instruction: str
    alike: float | None
    status: str
    grounding: str
    quote: str
    paper: str
    sub: str


def read_twins(store: Store, idea: str) -> tuple[Twin, ...]:
    """The group of near-duplicates that an idea is in, the one to keep first; empty where it is in none."""
    from fairnad_engine.knowledge.near_duplicates import group_of

    here = store.ideas.get(idea)
    group = group_of(here, store.ideas.in_sub(here.sub))
    return () if group is None else _twins(group, _titles(store))


def read_groups(store: Store) -> tuple[tuple[Twin, ...], ...]:
    """Every group of near-duplicates, those of a sub-category together."""
    from fairnad_engine.knowledge.near_duplicates import duplicate_groups

    titles = _titles(store)
    return tuple(_twins(group, titles) for group in duplicate_groups(store.ideas.all()))


def _titles(store: Store) -> dict[str, str]:
    return {
        paper.id: f"{paper.title} ({paper.year})" if paper.year else paper.title for paper in store.curation.papers()
    }


def _twins(group: DuplicateGroup, titles: Mapping[str, str]) -> tuple[Twin, ...]:
    return tuple(
        Twin(
            one.id,
            one.instruction,
            alike,
            one.status,
            one.grounded_by or ("grounded" if one.grounded else "not grounded"),
            one.quote,
            titles.get(one.paper_id or "", "") or f"no paper, {one.origin}",
            one.sub,
        )
        for one, alike in ((group.representative, None), *group.others)
    )
