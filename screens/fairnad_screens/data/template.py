"""What the template screen shows: the tree, how many ideas each category has, and what undoing would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fairnad_engine.knowledge.template import Level, Main, Sub, Template, check
from fairnad_engine.knowledge.template_edit import Edit
from fairnad_engine.knowledge.template_history import affected, apply_edit, undo, undoable
from fairnad_engine.store import Store
from fairnad_engine.store.filing import IdeaCount

Node = Level | Main | Sub


@dataclass(frozen=True)
class TemplateSnapshot:
    """The template screen.

    Attributes:
        template: The newest version.
        version: Its number; 0 where the workspace has none yet and the one that ships is shown.
        ideas: Ideas by sub-category.
        undoable: What undo would undo; None where there is nothing.
        structuring: The structuring job that uses the template now; empty where there is none.
        notes: What a check of the template says, one line each.
        proposals: Open proposals, each paper's counted.
        proposing: The job that reads papers for proposals now; empty where there is none.
    """

    template: Template
    version: int
    ideas: Mapping[str, IdeaCount]
    undoable: str | None
    structuring: str
    notes: tuple[str, ...]
    proposals: int = 0
    proposing: str = ""

    def count(self, node: Node) -> IdeaCount:
        """Ideas of a category with everything below it."""
        counts = [self.ideas.get(sub.id, IdeaCount()) for sub in subs_below(node)]
        return IdeaCount(sum(one.approved for one in counts), sum(one.all for one in counts))


@dataclass(frozen=True)
class TreeRow:
    """One row of the tree as it is unfolded."""

    node: Node
    depth: int
    open: bool


def read_template(store: Store) -> TemplateSnapshot:
    """Read what the template screen shows."""
    newest = store.templates.newest()
    template = _parsed(store.templates.source(newest[0]), newest[0]) if newest else Template.load()
    live = {one.kind: one.id for one in reversed(store.jobs.all()) if store.jobs.is_held(one.id)}
    return TemplateSnapshot(
        template=template,
        version=newest[0] if newest else 0,
        ideas=store.filing.per_sub(),
        undoable=undoable(store),
        structuring=live.get("structure", ""),
        notes=_notes(template),
        proposals=store.proposals.count_open(),
        proposing=live.get("propose", ""),
    )


@lru_cache(maxsize=4)
def _parsed(text: str, version: int) -> Template:
    return Template.parse(text, f"template version {version}")


@lru_cache(maxsize=4)
def _notes(template: Template) -> tuple[str, ...]:
    return tuple(check(template))


def subs_below(node: Node) -> Iterator[Sub]:
    """The sub-categories of a category, itself included where it is one."""
    if isinstance(node, Sub):
        yield node
    elif isinstance(node, Main):
        yield from node.subs
    else:
        for main in node.mains:
            yield from main.subs


def tree_rows(template: Template, unfolded: Callable[[str], bool], words: list[str]) -> list[TreeRow]:
    """The rows of the tree; with words, the categories that hold all of them, unfolded, with what they are in."""
    rows = []
    for level in template.levels:
        for node, depth in _nodes(level):
            if words:
                if any(_holds(one, words) for one in _with_below(node)) or _inside_match(level, node, words):
                    rows.append(TreeRow(node, depth, not isinstance(node, Sub)))
            elif _seen(level, node, unfolded):
                rows.append(TreeRow(node, depth, not isinstance(node, Sub) and unfolded(node.id)))
    return rows


def _nodes(level: Level) -> Iterator[tuple[Node, int]]:
    yield level, 0
    for main in level.mains:
        yield main, 1
        for sub in main.subs:
            yield sub, 2


def _seen(level: Level, node: Node, unfolded: Callable[[str], bool]) -> bool:
    if isinstance(node, Level):
        return True
    return unfolded(level.id) and (isinstance(node, Main) or unfolded(node.main))


def _with_below(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Level):
        yield from node.mains
    if not isinstance(node, Sub):
        yield from subs_below(node)


def _inside_match(level: Level, node: Node, words: list[str]) -> bool:
    """Whether a main category that matches by its own words holds this sub-category."""
    return isinstance(node, Sub) and any(main.id == node.main and _holds(main, words) for main in level.mains)


def _holds(node: Node, words: list[str]) -> bool:
    cues = node.cues if isinstance(node, Sub) else ()
    text = " ".join((node.id, node.name, node.definition, *cues)).casefold()
    return all(word in text for word in words)


def change_template(store: Store, edit: Edit) -> int:
    """Apply a change; the workspace's first one is preceded by the template that ships."""
    from fairnad_engine.workspace import template_of

    template_of(store)
    return apply_edit(store, edit)


def ideas_to_refile(store: Store, edit: Edit) -> int:
    """How many ideas a change would refile."""
    return len(affected(store, edit))


def undo_change(store: Store) -> tuple[str, int]:
    """Undo the last change; return what it was and how many ideas went back."""
    return undo(store)
