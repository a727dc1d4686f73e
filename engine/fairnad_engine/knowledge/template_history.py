"""The template's versions in the workspace: a change and the ideas that it refiles are one step that can be undone."""

from __future__ import annotations

from collections.abc import Mapping

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.knowledge.template_edit import Edit
from fairnad_engine.store import Store
from fairnad_engine.store.filing import Place


def affected(store: Store, edit: Edit) -> dict[str, str]:
    """The new sub-category of each idea that a change refiles, by the idea's id."""
    places: dict[str, str] = {}
    for idea, sub, _ in store.filing.texts(list(edit.moved)):
        places[idea] = edit.moved[sub]
    if edit.split is not None:
        for idea, _, texts in store.filing.texts([edit.split.source]):
            if edit.split.takes(*texts):
                places[idea] = edit.split.target
    return places | dict(edit.places)


def apply_edit(store: Store, edit: Edit) -> int:
    """Store a changed template as the newest version and refile ideas; return how many were refiled.

    Raises:
        InputError: The template was changed by someone else meanwhile, or ideas would be left without a category.
    """
    with store.transaction():
        newest = store.templates.newest()
        if newest is None:
            raise InputError("the workspace has no template yet; open the template screen again")
        if newest[1] != edit.base:
            raise InputError("the template was changed meanwhile; look at it again, then repeat the change")
        _check_homeless(store, edit)
        places = affected(store, edit)
        version = store.templates.save(edit.template, edit.text, edit.note)
        return _refile(store, edit.template, places, version)


def undoable(store: Store) -> str | None:
    """What :func:`undo` would undo, in one line; None where there is nothing."""
    step = _last_step(store)
    return None if step is None else store.templates.note(step[0])


def undo(store: Store) -> tuple[str, int]:
    """Return to the template before the last change and refile its ideas back.

    Ideas that someone has moved again since stay where they are, or go to where their category was made from.

    Returns:
        What was undone, and how many ideas went back.

    Raises:
        InputError: There is nothing to undo.
    """
    with store.transaction():
        step = _last_step(store)
        if step is None:
            raise InputError("no change of the template is left to undo")
        undone, former = step
        text = store.templates.source(former)
        template = Template.parse(text, f"template version {former}")
        note = store.templates.note(undone)
        places = store.filing.moved_by(_by(undone))
        places |= _strays(store, template, undone, places)
        version = store.templates.save(template, text, f"undone: {note}", restores=former)
        return note, _refile(store, template, places, version)


def _strays(store: Store, former: Template, undone: int, back: Mapping[str, str]) -> dict[str, str]:
    """Ideas filed since under a category that the former template lacks: they go where most of its ideas came from."""
    known = {sub.id for sub in former.subs}
    gone = [sub.id for sub in Template.parse(store.templates.source(undone), "template").subs if sub.id not in known]
    origin = {sub: store.filing.origin_of(sub, _by(undone)) for sub in gone}
    strays = {idea: sub for idea, sub, _ in store.filing.texts(gone) if idea not in back}
    homeless = [sub for sub in strays.values() if origin[sub] is None]
    if homeless:
        raise InputError(
            f"ideas were filed under {homeless[0]} since it was added; move them to another sub-category, then undo"
        )
    return {idea: origin[sub] or "" for idea, sub in strays.items()}


def _last_step(store: Store) -> tuple[int, int] | None:
    """The version to undo and the one before it, undone changes stepped over."""
    newest = store.templates.newest()
    if newest is None:
        return None
    version = store.templates.stands_for(newest[0])
    return None if version <= 1 else (version, store.templates.stands_for(version - 1))


def _check_homeless(store: Store, edit: Edit) -> None:
    left = store.filing.texts([sub for sub in edit.gone if sub not in edit.moved])
    homeless = [one for one in left if one[0] not in edit.places]
    if homeless:
        raise InputError(f"{len(homeless):,} ideas are filed under {homeless[0][1]}; say which sub-category takes them")


def _refile(store: Store, template: Template, subs: Mapping[str, str], version: int) -> int:
    places = {}
    for idea, sub in subs.items():
        main = template.sub(sub).main
        places[idea] = Place(template.level_of(main), main, sub)
    return store.filing.refile(places, _by(version))


def _by(version: int) -> str:
    return f"template:{version}"
