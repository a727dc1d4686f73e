"""``ideas list | approve | reject | add | edit | import | export``: a researcher's own ideas are first-class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_engine.errors import InputError
from fairnad_tui.commands.ideas_duplicates import duplicates
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, print_table, remark, tell

if TYPE_CHECKING:
    from fairnad_engine.store import Store
    from fairnad_engine.store.curation import AncestryEntry
    from fairnad_engine.store.knowledge_records import IdeaRow

_STATUSES = click.Choice(["proposed", "approved", "rejected", "imported"])
_ORIGINS = click.Choice(["extracted", "own", "imported", "derived"])


@click.group()
def ideas() -> None:
    """List, decide, merge, add, edit, import and export ideas."""


ideas.add_command(duplicates)


@ideas.command("list")
@click.option("--status", type=_STATUSES, help="Only ideas of this status.")
@click.option("--category", metavar="ID", help="Only ideas of this main or sub-category.")
@click.option("--origin", type=_ORIGINS, help="Only ideas that come from there; derived: a search's own.")
@click.option("--search", metavar="TEXT", help="Only ideas that contain this text.")
@db_option
@json_option
def list_(
    status: str | None, category: str | None, origin: str | None, search: str | None, db: Path | None, as_json: bool
) -> None:
    """List ideas."""
    with open_store(db) as store:
        found = [one for one in _select(store, status, category, search) if origin in (None, one.origin)]
        if as_json:
            print_json(_documents(store, found))
            return
    print_table(
        f"{len(found):,} ideas",
        ("id", "status", "sub-category", "idea"),
        ((i.id, i.status, i.sub, i.instruction) for i in found),
    )


@ideas.command()
@click.argument("idea")
@db_option
@json_option
def show(idea: str, db: Path | None, as_json: bool) -> None:
    """Show one idea, its quote, and how that was found in the paper."""
    with open_store(db) as store:
        found = store.ideas.get(idea)
        paper = None if found.paper_id is None else store.papers.get(found.paper_id).title
        (document,) = _documents(store, [found])
        ancestry = store.curation.story(found).ancestry
    if as_json:
        print_json({**document, "paper": paper})
        return
    fields = {
        "id": found.id,
        "idea": found.instruction,
        "name": found.name,
        "filed": f"{found.level} > {found.main} > {found.sub}",
        "status": f"{found.status}, by {found.decided_by}" if found.decided_by else found.status,
        "origin": found.origin,
        "paper": paper or "-",
        "quote": " ".join(found.quote.split()) or "-",
        "grounded": _grounding(found),
    }
    if found.grounded_by == "fuzzy":
        fields["as given"] = found.quote_given
    for name, value in [*fields.items(), *(("derived", _derivation(one)) for one in ancestry)]:
        tell(f"{name:<9} {value}")


@ideas.command()
@click.argument("ids", nargs=-1)
@click.option(
    "--all", "all_", is_flag=True, help="Every proposed idea not derived (with --category: of that category)."
)
@click.option("--category", metavar="ID", help="With --all: only this main or sub-category.")
@click.option(
    "--policy",
    type=click.Choice(["grounded", "grounded-unique", "imported"]),
    help="Approve what this policy approves; imported: what was imported or written by hand and nobody decided about.",
)
@db_option
def approve(ids: tuple[str, ...], all_: bool, category: str | None, policy: str | None, db: Path | None) -> None:
    """Approve ideas by id (a unique beginning is enough), all of them, or by a policy."""
    with open_store(db) as store:
        if policy:
            from fairnad_engine.knowledge.structuring import apply_policy

            changed = apply_policy(store, policy)
        else:
            changed = store.ideas.decide(_chosen(store, ids, all_, category), "approved", "person")
    click.echo(f"{changed:,} ideas approved")


@ideas.command()
@click.argument("ids", nargs=-1)
@click.option(
    "--all", "all_", is_flag=True, help="Every proposed idea not derived (with --category: of that category)."
)
@click.option("--category", metavar="ID", help="With --all: only this main or sub-category.")
@db_option
def reject(ids: tuple[str, ...], all_: bool, category: str | None, db: Path | None) -> None:
    """Reject ideas by id (a unique beginning is enough), or all of them."""
    with open_store(db) as store:
        changed = store.ideas.decide(_chosen(store, ids, all_, category), "rejected", "person")
    click.echo(f"{changed:,} ideas rejected")


@ideas.command()
@click.option("--sub", required=True, metavar="ID", help="Sub-category, for example conv.depthwise.")
@click.option("--name", default="", help="Short name.")
@click.argument("instruction")
@db_option
def add(sub: str, name: str, instruction: str, db: Path | None) -> None:
    """Add an idea of your own; it counts as approved."""
    from fairnad_engine.knowledge.idea_files import checked_instruction, checked_sub
    from fairnad_engine.workspace import template_of

    with open_store(db, create=True) as store:
        template, _ = template_of(store)
        text = checked_instruction(instruction, "the idea")
        sub_id = checked_sub(template, sub, "--sub")
        short = checked_instruction(name, "--name") if name else " ".join(text.split()[:6])
        new_id = store.ideas.add_own(template, sub_id, short, text)
    click.echo(f"{new_id} added to {sub_id} and approved")


@ideas.command()
@click.argument("idea")
@click.option("--sub", metavar="ID", help="File it under another sub-category.")
@click.option("--name", help="Another short name.")
@click.option("--instruction", help="Another instruction.")
@db_option
def edit(idea: str, sub: str | None, name: str | None, instruction: str | None, db: Path | None) -> None:
    """Change an idea; what it was before is kept."""
    from fairnad_engine.knowledge.idea_files import checked_instruction, checked_sub
    from fairnad_engine.workspace import template_of

    changes: dict[str, str] = {}
    with open_store(db) as store:
        template, _ = template_of(store)
        if sub:
            sub_id = checked_sub(template, sub, "--sub")
            main = template.sub(sub_id).main
            changes.update(sub=sub_id, main=main, level=template.level_of(main))
        if name is not None:
            changes["name"] = checked_instruction(name, "--name")
        if instruction is not None:
            changes["instruction"] = checked_instruction(instruction, "--instruction")
        if not changes:
            raise InputError("nothing to change; give --sub, --name or --instruction")
        found = store.ideas.edit(idea, changes, "person")
    click.echo(f"{found.id} edited")


@ideas.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--approve", "approve_", is_flag=True, help="Approve them; otherwise their status is `imported`.")
@db_option
def import_(file: Path, approve_: bool, db: Path | None) -> None:
    """Import ideas from JSON, JSONL or CSV (columns: sub, instruction, optional name).

    NADER's lists of {id, paper_id, inspiration} are read too; the template's cues file each of their ideas.

    A line that cannot be used is named and the rest goes on; the exit code then is 2.
    """
    from fairnad_engine.knowledge.idea_files import read_ideas
    from fairnad_engine.workspace import template_of

    with open_store(db, create=True) as store:
        template, _ = template_of(store)
        good, problems = read_ideas(file, template)
        added = store.ideas.add_imported(
            template, ((one.sub, one.name, one.instruction) for one in good), approve=approve_
        )
    for problem in problems:
        remark(f"fairnad-tui: {problem}")
    click.echo(f"{added:,} ideas imported, {len(good) - added:,} were there already")
    if problems:
        raise click.exceptions.Exit(InputError.exit_code)


@ideas.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--status", type=_STATUSES, help="Only ideas of this status.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@db_option
def export(file: Path, status: str | None, force: bool, db: Path | None) -> None:
    """Export ideas to FILE (.jsonl or .csv), or to standard output as JSONL with -."""
    from fairnad_engine.artifacts import write_atomically
    from fairnad_engine.knowledge.idea_files import render_ideas

    with open_store(db) as store:
        documents = _documents(store, store.ideas.all(status))
    if str(file) == "-":
        click.echo(render_ideas(documents, "jsonl"), nl=False)
        return
    if file.suffix not in (".jsonl", ".csv"):
        raise InputError(f"{file}: exports are .jsonl or .csv; name the file so")
    if file.is_dir() or (file.exists() and not force):
        mend = "" if file.is_dir() else ", or write over it with --force"
        raise InputError(f"{file}: is there already; name another file{mend}")
    write_atomically(file, render_ideas(documents, file.suffix[1:]).encode())
    tell(f"{len(documents):,} ideas written to {file}")


def _documents(store: Store, ideas: list[IdeaRow]) -> list[dict[str, object]]:
    from fairnad_engine.store.ideas import idea_document

    return [idea_document(one, store.ideas.derivations(one.id) if one.origin == "derived" else ()) for one in ideas]


def _derivation(one: AncestryEntry) -> str:
    of = f" of: {one.origin}" if one.origin else ""
    return f"{one.kind}{of}; {one.candidate} of {one.run}, from {one.parent}"


def _grounding(idea: IdeaRow) -> str:
    if idea.origin == "derived":
        return "derived by a search, no paper stands behind it"
    if idea.span is None:
        return "no"
    alike = "" if idea.grounding_score is None else f", {100 * idea.grounding_score:.1f} % alike"
    how = f" ({idea.grounded_by}{alike})" if idea.grounded_by else ""
    return f"yes{how}, characters {idea.span[0]} to {idea.span[1]}"


def _select(store: Store, status: str | None, category: str | None, search: str | None) -> list[IdeaRow]:
    if category:
        _check_category(store, category)
    wanted = (search or "").casefold()
    return [
        idea
        for idea in store.ideas.all(status)
        if (not category or category in (idea.main, idea.sub, idea.level))
        and (not wanted or wanted in f"{idea.name}\n{idea.instruction}\n{idea.quote}".casefold())
    ]


def _check_category(store: Store, category: str) -> None:
    from fairnad_engine.workspace import template_of

    template, _ = template_of(store)
    known = {one.id for nodes in (template.levels, template.mains, template.subs) for one in nodes}
    if category not in known:
        raise InputError(f"--category {category!r}: the template has no such category; see: fairnad-tui template show")


def _chosen(store: Store, ids: tuple[str, ...], all_: bool, category: str | None) -> list[str]:
    if bool(ids) == all_:
        raise InputError("say which ideas: ids, or --all; see: fairnad-tui ideas list")
    if category and not all_:
        raise InputError("--category goes with --all")
    if all_:
        # What a search derived joins the library by its id alone.
        return [one.id for one in _select(store, "proposed", category, None) if one.origin != "derived"]
    return [store.ideas.get(one).id for one in ids]
