"""``template show`` and ``template check``; what changes a template is in ``template_changes`` and beside it."""

from __future__ import annotations

from pathlib import Path

import click

from fairnad_engine.errors import InputError
from fairnad_tui.commands import template_changes as changes
from fairnad_tui.commands import template_proposals as proposals
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, remark, tell


@click.group()
def template() -> None:
    """The attribute template: show, check, propose, diff, apply, export, import."""


@template.command("show")
@db_option
@json_option
def show(db: Path | None, as_json: bool) -> None:
    """Print the tree: level, main category, sub-category, with the ideas filed under each."""
    from fairnad_engine.workspace import template_of

    with open_store(db, create=True) as store:
        tree, version = template_of(store)
        ideas = store.ideas.all()
    per_sub = {sub.id: 0 for main in tree.mains for sub in main.subs}
    for idea in ideas:
        per_sub[idea.sub] = per_sub.get(idea.sub, 0) + 1
    if as_json:
        nodes = [
            {
                "level": main.level,
                "main": main.id,
                "sub": sub.id,
                "definition": sub.definition,
                "ideas": per_sub[sub.id],
            }
            for main in tree.mains
            for sub in main.subs
        ]
        print_json({"version": version, "digest": tree.digest, "sub_categories": nodes})
        return
    for level in tree.levels:
        tell(level.name)
        for main in level.mains:
            tell(f"  {main.name} ({main.id})  {sum(per_sub[sub.id] for sub in main.subs)} ideas")
            for sub in main.subs:
                tell(f"    {sub.id:<28} {per_sub[sub.id]:>4}  {sub.definition}")


@template.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(file: Path | None) -> None:
    """Check a template FILE, or the one that ships: counts, ids, definitions, signatures."""
    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.knowledge.template import check as problems_of

    found = Template.load(file)
    problems = problems_of(found)
    if problems:
        for problem in problems[:-1]:
            remark(f"fairnad-tui: {file or 'attributes.yaml'}: {problem}")
        raise InputError(f"{file or 'attributes.yaml'}: {problems[-1]}")
    levels, mains, subs = found.counts
    tell(f"{file or 'attributes.yaml'}: {levels} levels, {mains} main and {subs} sub-categories; no problem")


for _command in (
    changes.export,
    changes.import_,
    changes.diff,
    proposals.propose,
    proposals.proposals,
    proposals.apply,
    changes.undo,
):
    template.add_command(_command)
