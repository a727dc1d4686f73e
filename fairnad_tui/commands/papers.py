"""``papers add`` and ``papers list``."""

from __future__ import annotations

from pathlib import Path

import click

from fairnad_engine.errors import InputError
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, print_table, remark


@click.group()
def papers() -> None:
    """Add and list papers."""


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
