"""``template propose | proposals | apply``: categories that a model finds in papers, and a person accepts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import InputError
from fairnad_tui.commands.template_refiling import apply_change, filer_of, pairs, refile_options
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, remark, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairnad_engine.knowledge.suggestions import Suggestion
    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.knowledge.template_edit import Edit
    from fairnad_engine.store import Store


@click.command("propose")
@click.argument("papers", nargs=-1, metavar="[PAPER]...")
@click.option("--llm", required=True, metavar="MODEL", help="ollama:MODEL[@URL,...] or openai:URL#MODEL.")
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@db_option
def propose(papers: tuple[str, ...], llm: str, detach: bool, db: Path | None) -> None:
    """Let a model read papers (all that were kept, by default) for categories that the template lacks."""
    from fairnad_engine.reading_jobs import create_proposing_job
    from fairnad_engine.search.config import parse_config
    from fairnad_engine.workspace import start_worker, template_of
    from fairnad_tui.displays import choose_display
    from fairnad_tui.follow import follow

    settings = parse_config({"model": {"llm": llm}}, "command line")
    with open_store(db) as store:
        template_of(store)
        job = create_proposing_job(store, settings, papers)
        start_worker(store, job)
        if detach:
            click.echo(f"{job.id} goes on in the background; see: fairnad-tui status")
            return
        again = " ".join(("fairnad-tui template propose", *papers, "--llm", llm))
        follow(store, job, choose_display(), again)
        remark("look at them with: fairnad-tui template proposals")


@click.command("proposals")
@json_option
@db_option
def proposals(as_json: bool, db: Path | None) -> None:
    """List the proposed categories that are open, those that most papers suggest first."""
    from fairnad_engine.workspace import template_of

    with open_store(db, create=True) as store:
        found = _open(store, template_of(store)[0])
    if as_json:
        print_json([_document(one) for one in found])
        return
    if not found:
        remark("no proposal is open; let a model make some with: fairnad-tui template propose --llm MODEL")
    for one in found:
        head = one.head
        alike = f"  (like {one.known})" if one.known else ""
        tell(f"{head.id:>4}  {head.level} / {head.main} / {head.name}{alike}")
        tell(f"      {head.definition}")
        for row in one.rows[:3]:
            tell(f"      {row.title}: “{' '.join(row.quote.split())}”")
        if len(one.rows) > 3:
            tell(f"      and {len(one.rows) - 3} more")


@click.command("apply")
@click.argument("numbers", nargs=-1, type=click.IntRange(1), metavar="[NUMBER]...")
@click.option("--all", "all_", is_flag=True, help="Every open proposal that the template has nothing like.")
@click.option("--name", "names", metavar="NUMBER=NAME", multiple=True, help="Another name for a proposal.")
@click.option("--refuse", is_flag=True, help="Refuse them: they are not listed again.")
@refile_options
@db_option
def apply(
    numbers: tuple[int, ...],
    all_: bool,
    names: tuple[str, ...],
    refuse: bool,
    moves: tuple[str, ...],
    refile: str,
    db: Path | None,
) -> None:
    """Accept proposed categories by NUMBER: they become part of the template, and ideas that fit move there."""
    from fairnad_engine.workspace import template_of

    if moves:
        raise InputError("--move goes with import and diff; accepting a proposal leaves every category in place")
    with open_store(db, create=True) as store:
        today, _ = template_of(store)
        chosen = proposals_named(store, today, numbers, all_=all_)
        ids = [id for one in chosen for id in one.ids]
        if refuse:
            store.proposals.decide(ids, "refused")
            click.echo(f"{len(chosen)} proposals refused")
            return
        edit = of_proposals(store, today, chosen, _renamed(names), refile)
        with store.transaction():
            apply_change(store, edit)
            store.proposals.decide(ids, "accepted")


def of_proposals(
    store: Store, today: Template, chosen: Sequence[Suggestion], names: Mapping[int, str], refile: str
) -> Edit:
    """The change that accepts proposals."""
    from fairnad_engine.knowledge.refiling import refiled
    from fairnad_engine.knowledge.suggestions import accepted

    edit = accepted(today, chosen, dict(names))
    return edit if refile == "none" else refiled(store, edit, today, filer_of(store, refile))


def _open(store: Store, today: Template) -> tuple[Suggestion, ...]:
    from fairnad_engine.knowledge.suggestions import suggestions

    return suggestions(store.proposals.with_status("open"), today)


def proposals_named(store: Store, today: Template, numbers: Sequence[int], *, all_: bool = True) -> list[Suggestion]:
    """The open proposals that the user means: by number, or with ``all_`` every one that the template has nothing like.

    Raises:
        InputError: One is not open, or there is none.
    """
    found = _open(store, today)
    if all_ and not numbers:
        fresh = [one for one in found if one.known is None]
        if not fresh:
            raise InputError(
                "no proposal is open; let a model make some with: fairnad-tui template propose --llm MODEL"
            )
        return fresh
    by_number = {id: one for one in found for id in one.ids}
    for number in numbers:
        if number not in by_number:
            raise InputError(f"{number} is no open proposal; see: fairnad-tui template proposals")
    if not numbers:
        raise InputError("no proposal was named; give its NUMBER, or --all; see: fairnad-tui template proposals")
    return list({one.head.id: one for one in (by_number[number] for number in numbers)}.values())


def _renamed(given: Sequence[str]) -> dict[int, str]:
    named = pairs(given, "--name")
    for number, name in named.items():
        if not number.isdecimal():
            raise InputError(f"--name {number}={name}: write NUMBER=NAME")
    return {int(number): name for number, name in named.items()}


def _document(one: Suggestion) -> dict[str, Any]:
    head = one.head
    return {
        "number": head.id,
        "level": head.level,
        "main": head.main,
        "main_definition": head.main_definition,
        "name": head.name,
        "definition": head.definition,
        "example": head.example,
        "second_example": head.second_example,
        "model": head.model,
        "like": one.known,
        "papers": [{"paper": row.paper_id, "title": row.title, "quote": row.quote} for row in one.rows],
    }
