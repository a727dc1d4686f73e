"""``ideas duplicates``: groups of ideas that say the same, and merging them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, print_table

if TYPE_CHECKING:
    from fairnad_engine.knowledge.near_duplicates import DuplicateGroup
    from fairnad_engine.store import Store
    from fairnad_engine.store.knowledge_records import IdeaRow

_DECIDER = "near-duplicates"


@click.command()
@click.option("--category", metavar="ID", help="Only ideas of this main or sub-category.")
@click.option(
    "--threshold",
    type=click.FloatRange(50, 100),
    help="Percent of letters in common from which two ideas say the same [80]; of a cosine with --embed [95].",
)
@click.option("--embed", metavar="MODEL", help="Compare meanings by an embedding model: ollama:MODEL[@URL].")
@click.option("--merge", "merge_", is_flag=True, help="Merge each group into its first idea, which keeps the sources.")
@db_option
@json_option
def duplicates(
    category: str | None, threshold: float | None, embed: str | None, merge_: bool, db: Path | None, as_json: bool
) -> None:
    """List near-duplicates: ideas of one sub-category that say the same in nearly the same words.

    The first idea of a group is the one to keep: approved rather than not, the best grounded, the oldest. With --merge
    the others are rejected and stay as its sources; each group is one operation, which the ideas screen can undo.
    """
    from fairnad_engine.knowledge.near_duplicates import ALIKE, duplicate_groups

    with open_store(db) as store:
        ideas = [one for one in store.ideas.all() if not category or category in (one.main, one.sub, one.level)]
        if embed:
            groups = _by_meaning(store, ideas, embed, threshold)
        else:
            groups = duplicate_groups(ideas, ALIKE if threshold is None else threshold)
        merged = _merge(store, groups) if merge_ else 0
        titles = {paper.id: paper.title for paper in store.papers.listing()}
    if as_json:
        print_json([_document(group, titles) for group in groups])
        return
    if merge_:
        click.echo(f"groups: {len(groups):,}; ideas merged into the first of their group: {merged:,}")
        return
    print_table(
        f"{len(groups):,} groups",
        ("group", "alike", "id", "status", "grounded", "sub-category", "idea"),
        (
            (
                number,
                "-" if alike is None else f"{alike:.1f} %",
                one.id,
                one.status,
                one.grounded_by or ("yes" if one.grounded else "no"),
                one.sub,
                one.instruction,
            )
            for number, group in enumerate(groups, 1)
            for one, alike in ((group.representative, None), *group.others)
        ),
    )


def _by_meaning(store: Store, ideas: list[IdeaRow], embed: str, threshold: float | None) -> list[DuplicateGroup]:
    """Groups by the vectors of a model; its calls are accounted, and no text is sent twice."""
    from fairnad_engine.knowledge.near_duplicates import SAME, groups_by_meaning
    from fairnad_engine.llm.embeddings import make_embedder

    embedder = make_embedder(embed, store.files.root / "embeddings")
    asked = [one for one in ideas if one.status != "rejected" and one.origin != "derived"]
    vectors, calls = embedder.embed([one.instruction for one in asked])
    store.calls.record(f"embed/{uuid.uuid4().hex[:12]}", calls, job_id="embed", run_id=None)
    return groups_by_meaning(asked, vectors, SAME if threshold is None else threshold)


def _merge(store: Store, groups: list[DuplicateGroup]) -> int:
    with store.transaction():
        return sum(
            store.journal.merge(group.representative.id, [idea.id for idea, _ in group.others], _DECIDER)
            for group in groups
        )


def _document(group: DuplicateGroup, titles: dict[str, str]) -> dict[str, object]:
    return {
        "representative": group.representative.id,
        "sub": group.representative.sub,
        "ideas": [
            {
                "id": one.id,
                "alike": alike,
                "status": one.status,
                "instruction": one.instruction,
                "quote": one.quote,
                "grounded": one.grounded,
                "paper_id": one.paper_id,
                "paper": titles.get(one.paper_id or ""),
            }
            for one, alike in ((group.representative, None), *group.others)
        ],
    }
