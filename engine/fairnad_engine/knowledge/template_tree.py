"""A template as a tree that is taken apart and put together again, and as YAML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fairnad_engine.knowledge.design_sentences import lowered
from fairnad_engine.knowledge.template import Level, Main, Sub, Template

_MAX_SLUG = 40


def render(template: Template) -> str:
    """The template as YAML, which :meth:`Template.parse` reads back."""
    import yaml

    document = {
        "version": template.version,
        "references": list(template.references),
        "levels": [
            {
                **_head(level),
                "mains": [{**_head(main), "subs": [_entry(sub) for sub in main.subs]} for main in level.mains],
            }
            for level in template.levels
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _head(node: Level | Main) -> dict[str, Any]:
    return {"id": node.id, "name": node.name, "definition": node.definition}


def _entry(sub: Sub) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": sub.id, "name": sub.name}
    if sub.action != default_action(sub.name):
        entry["action"] = sub.action
    entry |= {"definition": sub.definition, "examples": list(sub.examples), "cues": list(sub.cues)}
    entry["signature"] = [[{"feature": c.feature, "change": c.change} for c in one] for one in sub.signature]
    if sub.antonym is not None:
        entry["antonym"] = sub.antonym
    return entry


def default_action(name: str) -> str:
    """How an instruction begins where the template says nothing."""
    return f"Use {lowered(name)}"


def each_level(template: Template, function: Callable[[Level], Level]) -> tuple[Level, ...]:
    """The levels, each put through a function."""
    return tuple(function(level) for level in template.levels)


def each_sub(template: Template, function: Callable[[Sub], Sub]) -> tuple[Level, ...]:
    """The levels, each sub-category put through a function."""

    def main(one: Main) -> Main:
        return replace(one, subs=tuple(function(sub) for sub in one.subs))

    return each_level(template, lambda level: replace(level, mains=tuple(main(one) for one in level.mains)))


def with_subs(
    template: Template, main: str, function: Callable[[tuple[Sub, ...]], tuple[Sub, ...]]
) -> tuple[Level, ...]:
    """The levels, the sub-categories of one main category put through a function."""

    def changed(one: Main) -> Main:
        return replace(one, subs=function(one.subs)) if one.id == main else one

    return each_level(template, lambda level: replace(level, mains=tuple(changed(one) for one in level.mains)))


def without(subs: tuple[Sub, ...], gone: str) -> tuple[Sub, ...]:
    """Sub-categories but for one."""
    return tuple(sub for sub in subs if sub.id != gone)


def rewired(template: Template, ids: Mapping[str, str | None]) -> tuple[Level, ...]:
    """The levels with antonyms following their sub-categories to new ids; nothing is its own opposite."""

    def rewire(sub: Sub) -> Sub:
        if sub.antonym is None or sub.antonym not in ids:
            return sub
        new = ids[sub.antonym]
        return replace(sub, antonym=None if new == sub.id else new)

    return each_sub(template, rewire)


def free_id(template: Template, prefix: str, name: str) -> str:
    """An id that no category has, made from a name."""
    known = {one.id for one in template.levels} | {one.id for one in template.mains} | {one.id for one in template.subs}
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:_MAX_SLUG].strip("-") or "category"
    numbered = (f"{prefix}{slug}-{number}" for number in range(2, len(known) + 3))
    wanted = f"{prefix}{slug}"
    if not prefix and any(one.startswith(f"{wanted}.") for one in known):
        return next(one for one in numbered if one not in known)
    return wanted if wanted not in known else next(one for one in numbered if one not in known)
