"""Changing the attribute template: each change gives a new template, its YAML, and where the ideas of a category go.

Ids never change by renaming; a sub-category that moves takes a new id, since ids are ``<main>.<name>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import Level, Main, Sub, Template
from fairnad_engine.knowledge.template_fields import (
    checked_antonym,
    checked_cues,
    checked_examples,
    checked_signature,
    checked_text,
)
from fairnad_engine.knowledge.template_tree import (
    default_action,
    each_level,
    each_sub,
    free_id,
    render,
    rewired,
    with_subs,
    without,
)

MAX_NAME = 60
MAX_DEFINITION = 300
SUB_FIELDS = ("name", "definition", "action", "cues", "examples", "signature", "antonym")


@dataclass(frozen=True)
class Split:
    """Which ideas leave a sub-category: those whose text contains one of the phrases."""

    source: str
    target: str
    phrases: tuple[str, ...]

    def takes(self, *texts: str) -> bool:
        """Whether an idea of these texts goes to the new sub-category."""
        whole = "\n".join(texts).casefold()
        return any(phrase in whole for phrase in self.phrases)


@dataclass(frozen=True)
class Edit:
    """One change of a template.

    Attributes:
        base: Digest of the template that was changed.
        template: The new one.
        text: The new one as YAML.
        note: What was done, in one line.
        selected: The category to look at afterwards, by its new id.
        gone: Former sub-categories that the new template lacks.
        moved: Where the ideas of a former sub-category go.
        split: Which ideas a split takes out.
        places: Where single ideas go, by their id; it comes before the rules above.
    """

    base: str
    template: Template
    text: str
    note: str
    selected: str
    gone: tuple[str, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)
    split: Split | None = None
    places: Mapping[str, str] = field(default_factory=dict)


def add_main(template: Template, level: str, name: str, definition: str) -> Edit:
    """Add an empty main category at the end of a level.

    Raises:
        InputError: The name cannot be used.
    """
    _free_name(name, (main.name for main in template.mains))
    new = Main(
        free_id(template, "", name), level, _name(name), checked_text(definition, "definition", MAX_DEFINITION), ()
    )
    levels = each_level(template, lambda one: replace(one, mains=(*one.mains, new)) if one.id == level else one)
    return _edit(template, levels, f"added {new.name}", new.id)


def add_sub(template: Template, main: str, name: str, definition: str) -> Edit:
    """Add a sub-category at the end of a main category; its name is its first cue.

    Raises:
        InputError: The name cannot be used.
    """
    new = _new_sub(template, main, name, definition)
    return _edit(template, with_subs(template, main, lambda subs: (*subs, new)), f"added {new.name}", new.id)


def change(template: Template, node: str, field_: str, value: str) -> Edit:
    """Change one field of a category, given as a line of text.

    Args:
        template: The template.
        node: Id of a level, main or sub-category.
        field_: One of :data:`SUB_FIELDS`; levels and main categories have ``name`` and ``definition``.
        value: The new value; cues and conditions as :mod:`~fairnad_engine.knowledge.template_fields` writes them.

    Raises:
        InputError: The value cannot be used.
    """
    sub = next((one for one in template.subs if one.id == node), None)
    note = f"{node}: new {field_}"
    if sub is None:
        plain = _plain_value(template, node, field_, value)
        levels = each_level(
            template, lambda one: replace(one, **plain) if one.id == node else _main_changed(one, node, plain)
        )
        return _edit(template, levels, note, node)
    new = _sub_changed(template, sub, field_, value)
    return _edit(template, each_sub(template, lambda one: new if one.id == node else one), note, node)


def move(template: Template, sub: str, main: str) -> Edit:
    """Put a sub-category under another main category; its ideas go with it.

    Raises:
        InputError: It is there already, or the name is taken there.
    """
    old = template.sub(sub)
    if old.main == main:
        raise InputError(f"{sub} is under {main} already; choose another main category")
    _free_name(old.name, (one.name for one in template.subs_of(main)))
    new = replace(old, id=free_id(template, f"{main}.", sub.partition(".")[2]), main=main)
    rest = replace(template, levels=with_subs(template, old.main, lambda subs: without(subs, sub)))
    levels = with_subs(rest, main, lambda subs: (*subs, new))
    moved = {sub: new.id}
    note = f"moved {old.name} to {template.main(main).name}"
    return _edit(template, rewired(replace(template, levels=levels), moved), note, new.id, moved)


def merge(template: Template, sub: str, into: str) -> Edit:
    """Make one sub-category part of another, which takes its ideas, cues and signature.

    Raises:
        InputError: They are the same.
    """
    if sub == into:
        raise InputError(f"{sub} cannot be merged into itself; choose another sub-category")
    old, target = template.sub(sub), template.sub(into)
    both = replace(
        target,
        cues=_union(target.cues, old.cues),
        examples=_union(target.examples, old.examples)[:3],
        signature=_union(target.signature, old.signature),
    )
    levels = each_sub(template, lambda one: both if one.id == into else one)
    levels = with_subs(replace(template, levels=levels), old.main, lambda subs: without(subs, sub))
    moved = {sub: into}
    note = f"merged {old.name} into {target.name}"
    return _edit(template, rewired(replace(template, levels=levels), moved), note, into, moved)


def split(template: Template, sub: str, name: str, definition: str, words: str) -> Edit:
    """Make a new sub-category beside one, for the ideas whose text contains one of some phrases.

    Args:
        template: The template.
        sub: Where the ideas are now.
        name: Name of the new sub-category.
        definition: Its definition.
        words: Phrases with commas between them; they become its cues.

    Raises:
        InputError: The name or the phrases cannot be used.
    """
    old = template.sub(sub)
    phrases = tuple(" ".join(one.split()) for one in words.split(",") if one.strip())
    if not phrases:
        raise InputError("no phrase is given; write words that the ideas to take out contain, commas between them")
    new = replace(
        _new_sub(template, old.main, name, definition),
        cues=checked_cues("; ".join(phrases)),
        signature=old.signature,
        antonym=old.antonym,
    )
    place = template.subs_of(old.main).index(old) + 1
    levels = with_subs(template, old.main, lambda subs: (*subs[:place], new, *subs[place:]))
    chosen = Split(sub, new.id, tuple(one.casefold() for one in phrases))
    return _edit(template, levels, f"split {new.name} off {old.name}", new.id, split=chosen)


def delete(template: Template, node: str, into: str | None = None) -> Edit:
    """Delete a sub-category, or a main category without any.

    Args:
        template: The template.
        node: What to delete.
        into: The sub-category that takes its ideas; None where it has none.

    Raises:
        InputError: A level, or a main category with sub-categories.
    """
    main = next((one for one in template.mains if one.id == node), None)
    if main is not None:
        if main.subs:
            raise InputError(f"{main.name} has {len(main.subs)} sub-categories; move, merge or delete those first")
        levels = each_level(template, lambda one: replace(one, mains=tuple(m for m in one.mains if m.id != node)))
        return _edit(template, levels, f"deleted {main.name}", main.level)
    if any(level.id == node for level in template.levels):
        raise InputError("levels belong to the method and cannot be deleted; change their main categories")
    old = template.sub(node)
    if into == node:
        raise InputError(f"{node} cannot take its own ideas; choose another sub-category")
    levels = with_subs(template, old.main, lambda subs: without(subs, node))
    moved = {node: into} if into else {}
    levels = rewired(replace(template, levels=levels), {node: None})
    return _edit(template, levels, f"deleted {old.name}", into or old.main, moved)


def _edit(
    template: Template,
    levels: tuple[Level, ...],
    note: str,
    selected: str,
    moved: Mapping[str, str] | None = None,
    split: Split | None = None,
) -> Edit:
    text = render(replace(template, levels=levels))
    new = Template.parse(text, "edited template")
    kept = {sub.id for sub in new.subs}
    gone = tuple(sub.id for sub in template.subs if sub.id not in kept)
    return Edit(template.digest, new, text, note, selected, gone, moved or {}, split)


def _new_sub(template: Template, main: str, name: str, definition: str) -> Sub:
    _free_name(name, (sub.name for sub in template.subs_of(main)))
    clean = _name(name)
    said = checked_text(definition, "definition", MAX_DEFINITION)
    return Sub(
        id=free_id(template, f"{main}.", clean),
        main=main,
        name=clean,
        definition=said,
        examples=(),
        cues=(clean.lower(),),
        signature=(),
        antonym=None,
        action=default_action(clean),
    )


def _sub_changed(template: Template, sub: Sub, field_: str, value: str) -> Sub:
    match field_:
        case "name":
            _free_name(value, (one.name for one in template.subs_of(sub.main) if one.id != sub.id))
            new = _name(value)
            # An instruction that was made from the name follows it.
            action = default_action(new) if sub.action == default_action(sub.name) else sub.action
            return replace(sub, name=new, action=action)
        case "definition":
            return replace(sub, definition=checked_text(value, "definition", MAX_DEFINITION))
        case "action":
            return replace(sub, action=checked_text(value, "action", MAX_NAME) or default_action(sub.name))
        case "cues":
            return replace(sub, cues=checked_cues(value))
        case "examples":
            return replace(sub, examples=checked_examples(value))
        case "signature":
            return replace(sub, signature=checked_signature(value))
        case "antonym":
            return replace(sub, antonym=checked_antonym(value, sub.id, {one.id for one in template.subs}))
    raise InputError(f"{field_!r} is no field; choose one of: {', '.join(SUB_FIELDS)}")


def _plain_value(template: Template, node: str, field_: str, value: str) -> dict[str, Any]:
    if field_ == "name":
        _free_name(value, _names(template, node))
        return {"name": _name(value)}
    if field_ == "definition":
        return {"definition": checked_text(value, "definition", MAX_DEFINITION)}
    raise InputError(f"{field_!r} is no field of a main category or level; choose name or definition")


def _main_changed(level: Level, node: str, values: dict[str, Any]) -> Level:
    return replace(level, mains=tuple(replace(m, **values) if m.id == node else m for m in level.mains))


def _union(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _name(name: str) -> str:
    clean = checked_text(name, "name", MAX_NAME)
    if not clean:
        raise InputError("the name is empty; give one")
    return clean


def _free_name(name: str, taken: Iterable[str]) -> None:
    wanted = _name(name).casefold()
    if any(one.casefold() == wanted for one in taken):
        raise InputError(f"there is a category named {_name(name)!r} already; give another name")


def _names(template: Template, but: str) -> Iterator[str]:
    yield from (one.name for one in template.levels if one.id != but)
    yield from (one.name for one in template.mains if one.id != but)
