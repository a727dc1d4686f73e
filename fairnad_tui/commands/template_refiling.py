"""What the commands that change the template share: options, who files ideas anew, and showing what would move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import InputError
from fairnad_tui.output import print_json, remark, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairnad_engine.knowledge.refiling import Filer
    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.knowledge.template_edit import Edit
    from fairnad_engine.store import Store


def refile_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--refile`` and ``--move``."""
    for option in (
        click.option(
            "--refile",
            default="rules",
            show_default=True,
            metavar="MODEL",
            help="Who files ideas anew: rules, none, ollama:MODEL[@URL,...] or openai:URL#MODEL.",
        ),
        click.option("--move", "moves", metavar="OLD=NEW", multiple=True, help="Where a category's ideas go."),
    ):
        function = option(function)
    return function


def filer_of(store: Store, refile: str) -> Filer | None:
    """Who files ideas; None for the built-in rules. What a model answered in a preview is not asked again."""
    if refile == "rules":
        return None
    from fairnad_engine.knowledge.refiling_model import model_filer

    return model_filer(store, refile, remark)


def apply_change(store: Store, edit: Edit) -> None:
    """Carry a change out and say how to go back.

    Raises:
        InputError: Papers are being structured by the template.
    """
    from fairnad_engine.knowledge.template_history import apply_edit

    busy = next((one.id for one in store.jobs.all() if one.kind == "structure" and store.jobs.is_held(one.id)), None)
    if busy:
        raise InputError(f"{busy} files ideas by this template now; wait for it, or stop it on the Papers screen")
    if edit.template.digest == edit.base:
        remark("the template says that already; nothing was changed")
        return
    moved = apply_edit(store, edit)
    click.echo(f"{edit.note}; {moved:,} ideas refiled; go back with: fairnad-tui template undo")


def show_change(store: Store, today: Template, edit: Edit, as_json: bool) -> None:
    """Print what a change does to the template and which ideas it moves."""
    from fairnad_engine.knowledge.refiling import preview, summary
    from fairnad_engine.knowledge.template_diff import differences

    changes, seen = differences(today, edit.template), preview(store, edit)
    if as_json:
        print_json(
            {
                "changes": [
                    {"kind": one.kind, "id": one.id, "name": one.name, "fields": one.fields} for one in changes
                ],
                "moves": [{"from": source, "to": target, "ideas": count} for source, target, count in seen.moves],
                "homeless": [{"sub": sub, "ideas": count} for sub, count in seen.homeless],
            }
        )
        return
    for one in changes:
        tell(str(one))
    tell("" if changes else "the two templates say the same")
    if changes:
        tell(f"{seen.moved:,} ideas would move")
    known = {sub.id for sub in edit.template.subs} - {sub.id for sub in today.subs}
    for line in summary(seen, known):
        tell(line)


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Read ``OLD=NEW`` options.

    Raises:
        InputError: One is of another form.
    """
    found = {}
    for one in given:
        old, equals, new = one.partition("=")
        if not (old.strip() and equals and new.strip()):
            raise InputError(f"{option} {one}: write OLD=NEW")
        found[old.strip()] = new.strip()
    return found
