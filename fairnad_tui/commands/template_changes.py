"""``template export | import | diff | undo``: a change can be looked at before, and undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_engine.errors import InputError
from fairnad_tui.commands.template_proposals import of_proposals, proposals_named
from fairnad_tui.commands.template_refiling import apply_change, filer_of, pairs, refile_options, show_change
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import remark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.knowledge.template_edit import Edit
    from fairnad_engine.store import Store


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--version", type=click.IntRange(1), help="An earlier version [the newest].")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@db_option
def export(file: Path | None, version: int | None, force: bool, db: Path | None) -> None:
    """Write the workspace's template to FILE, or to standard output."""
    from fairnad_engine.artifacts import write_atomically
    from fairnad_engine.workspace import template_of

    with open_store(db, create=True) as store:
        newest = template_of(store)[1]
        if version is not None and version > newest:
            raise InputError(f"--version {version}: the template has {newest} versions")
        text = store.templates.source(version or newest)
    if file is None:
        click.echo(text, nl=False)
        return
    if file.exists() and not force:
        raise InputError(f"{file}: is there already; name another file, or write over it with --force")
    write_atomically(file, text.encode())
    remark(f"version {version or newest} written to {file}")


@click.command("diff")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--proposal", "numbers", type=click.IntRange(1), multiple=True, help="An open proposal by its number.")
@refile_options
@json_option
@db_option
def diff(
    file: Path | None,
    numbers: tuple[int, ...],
    moves: tuple[str, ...],
    refile: str,
    as_json: bool,
    db: Path | None,
) -> None:
    """Say what FILE would change in the workspace's template and which ideas would move; nothing is changed.

    Without FILE: what accepting every open proposal would change, or those named by --proposal.
    """
    from fairnad_engine.workspace import template_of

    if file and numbers:
        raise InputError("--proposal goes without FILE; a file says by itself what it changes")
    with open_store(db, create=True) as store:
        today, _ = template_of(store)
        if file:
            edit = _whole(store, today, file, moves, refile)
        else:
            edit = of_proposals(store, today, proposals_named(store, today, numbers), {}, refile)
        show_change(store, today, edit, as_json)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@refile_options
@db_option
def import_(file: Path, moves: tuple[str, ...], refile: str, db: Path | None) -> None:
    """Make FILE the workspace's template and refile ideas; see before with `template diff FILE`."""
    from fairnad_engine.workspace import template_of

    with open_store(db, create=True) as store:
        today, _ = template_of(store)
        apply_change(store, _whole(store, today, file, moves, refile))


@click.command("undo")
@db_option
def undo(db: Path | None) -> None:
    """Go back to the template before the last change; its ideas go back too."""
    from fairnad_engine.knowledge.template_history import undo as undo_last

    with open_store(db) as store:
        what, moved = undo_last(store)
    click.echo(f"undone: {what}; {moved:,} ideas went back")


def _whole(store: Store, today: Template, file: Path, moves: Sequence[str], refile: str) -> Edit:
    from fairnad_engine.knowledge.refiling import refiled, replaced
    from fairnad_engine.knowledge.template import Template

    new = Template.load(file)
    edit = replaced(today, new, pairs(moves, "--move"), f"imported {file.name}")
    return edit if refile == "none" else refiled(store, edit, today, filer_of(store, refile))
