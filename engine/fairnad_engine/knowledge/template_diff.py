"""What tells two templates apart, category by category."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fairnad_engine.knowledge.template import Level, Main, Sub, Template
from fairnad_engine.knowledge.template_fields import field_text

_SUB_FIELDS = ("main", "name", "definition", "action", "cues", "examples", "signature", "antonym")
_SHOWN = 60  # Characters of a field's value in a line.


@dataclass(frozen=True)
class Difference:
    """One category that only one of the templates has, or that they describe differently.

    Attributes:
        kind: What became of it on the way from the first template to the second.
        id: The category.
        name: Its name; the former one where it has no newer.
        fields: For ``changed``: each field with its old and new text.
    """

    kind: Literal["added", "removed", "changed"]
    id: str
    name: str
    fields: tuple[tuple[str, str, str], ...] = ()

    def __str__(self) -> str:
        sign = {"added": "+", "removed": "-", "changed": "~"}[self.kind]
        if self.kind != "changed":
            return f"{sign} {self.id}  {self.name}"
        parts = (f"{name}: {_short(old)} -> {_short(new)}" for name, old, new in self.fields)
        return f"{sign} {self.id}  {'; '.join(parts)}"


def differences(old: Template, new: Template) -> tuple[Difference, ...]:
    """Return what changes from one template to another: removed categories first, then in the new one's order."""
    before, after = _nodes(old), _nodes(new)
    gone = (Difference("removed", id, node.name) for id, node in before.items() if id not in after)
    return (*gone, *_kept(before, after))


def _kept(before: dict[str, Level | Main | Sub], after: dict[str, Level | Main | Sub]) -> Iterator[Difference]:
    for id, node in after.items():
        former = before.get(id)
        if former is None or type(former) is not type(node):
            yield Difference("added", id, node.name)
            continue
        names = _SUB_FIELDS if isinstance(node, Sub) else ("name", "definition")
        pairs = ((name, _text(former, name), _text(node, name)) for name in names)
        changed = tuple(one for one in pairs if one[1] != one[2])
        if changed:
            yield Difference("changed", id, node.name, changed)


def _nodes(template: Template) -> dict[str, Level | Main | Sub]:
    nodes: tuple[Level | Main | Sub, ...] = (*template.levels, *template.mains, *template.subs)
    return {node.id: node for node in nodes}


def _text(node: Level | Main | Sub, name: str) -> str:
    return field_text(node, name) if isinstance(node, Sub) else str(getattr(node, name))


def _short(text: str) -> str:
    return f"{text[: _SHOWN - 1]}…" if len(text) > _SHOWN else text or "nothing"
