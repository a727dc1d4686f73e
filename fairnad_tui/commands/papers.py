"""``papers add | list | keep | drop``."""

from __future__ import annotations

from pathlib import Path

import click

from fairnad_engine.errors import InputError
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, print_table, remark, tell

_MAX_REASON = 300


@click.group()
def papers() -> None:
    """Add and list papers, and say yourself which are read."""


@papers.command("add")
@click.argument("sources", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 2000), metavar="N", help="Most results of an arXiv query (200).")
@db_option
def add(sources: tuple[str, ...], limit: int | None, db: Path | None) -> None:
    """Add papers from files, folders, arXiv, or - for standard input; `samples` are those shipped.

    Files are .pdf, .md, .txt, .tex (its parts in the same folder), .tar.gz of TeX sources, .bib and .jsonl lists of
    titles and abstracts. From arXiv: arxiv:ID[,ID...] or arxiv:QUERY ('arxiv:depthwise convolution', 'arxiv:ti:gate AND
    cat:cs.CV'); these are abstracts.

    A file that cannot be read is named in one line and the rest goes on; the exit code then is 2.
    """
    from fairnad_engine.knowledge.structuring import add_papers
    from fairnad_engine.resources import data_folder

    named = [str(data_folder("sample_papers")) if one == "samples" else one for one in sources]
    with open_store(db, create=True) as store:
        reading = add_papers(store, named, limit)
        total = store.papers.count()
    for problem in (*reading.remarks, *reading.problems):
        remark(f"fairnad-tui: {problem}")
    click.echo(f"{reading.added} papers added, {reading.known} were there already; the workspace has {total}")
    if reading.problems:
        raise click.exceptions.Exit(InputError.exit_code)


@papers.command("list")
@db_option
@json_option
def list_(db: Path | None, as_json: bool) -> None:
    """List the workspace's papers with their screening."""
    with open_store(db) as store:
        found = store.papers.all()
        ideas: dict[str, int] = {}
        for idea in store.ideas.all():
            if idea.paper_id:
                ideas[idea.paper_id] = ideas.get(idea.paper_id, 0) + 1
    if as_json:
        keys = (
            "id",
            "title",
            "year",
            "venue",
            "arxiv",
            "source",
            "relevant",
            "reason",
            "screened_by",
            "structured_by",
        )
        print_json(
            [
                {**{key: getattr(p, key) for key in keys}, "authors": list(p.authors), "ideas": ideas.get(p.id, 0)}
                for p in found
            ]
        )
        return
    marks = {None: "not screened", True: "kept", False: "left out"}
    print_table(
        "Papers",
        ("id", "year", "title", "screening", "ideas"),
        ((p.id[:8], str(p.year or "-"), p.title, marks[p.relevant], ideas.get(p.id, 0)) for p in found),
    )


_reason = click.option("--reason", metavar="TEXT", default="", help="Why, in a line; it is shown beside your decision.")


@papers.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_reason
@db_option
def keep(ids: tuple[str, ...], reason: str, db: Path | None) -> None:
    """Keep papers whatever a model says of them; a unique beginning of an id is enough.

    One that has no ideas yet is read by the next `structure`. `papers drop` takes it back.
    """
    unread = _decide(ids, True, reason, db)
    if unread:
        remark(f"{unread} of them have no ideas yet; read them with: fairnad-tui structure")


@papers.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_reason
@db_option
def drop(ids: tuple[str, ...], reason: str, db: Path | None) -> None:
    """Leave papers out whatever a model says of them; their ideas stay. `papers keep` takes it back."""
    _decide(ids, False, reason, db)


def _decide(ids: tuple[str, ...], relevant: bool, reason: str, db: Path | None) -> int:
    """Decide about all of the papers or, where one is not there, none; how many of them are still to be read."""
    from fairnad_engine.llm.replies import plain_line

    with open_store(db) as store, store.transaction():
        chosen = {paper.id: paper for paper in map(store.papers.get, ids)}
        for paper in chosen.values():
            store.papers.override(paper.id, relevant, plain_line(reason, _MAX_REASON))
        unread = sum(not store.papers.get(one).structured_by for one in chosen)
    for paper in chosen.values():
        tell(f"{'kept' if relevant else 'left out'}: {paper.id[:8]} {paper.title}")
    return unread
