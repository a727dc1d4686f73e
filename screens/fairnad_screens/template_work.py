"""Changing the template: each key asks what it needs, then makes a new version in which the ideas are refiled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from fairnad_engine.errors import FairnadError
from fairnad_engine.knowledge import template_edit
from fairnad_engine.knowledge.template import ANTONYM_WORDS, Level, Main, Sub, Template
from fairnad_engine.knowledge.template_edit import Edit
from fairnad_engine.knowledge.template_fields import field_text
from fairnad_screens.actions import Action, key_of
from fairnad_screens.base import FairScreen
from fairnad_screens.data.template import Node, TemplateSnapshot, change_template, ideas_to_refile, undo_change
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog
from fairnad_screens.widgets.paragraph_dialog import ParagraphDialog

_CHANGES = ("new", "edit", "move", "merge", "split", "delete", "undo")
_OF_SUBS = ("move", "merge", "split")
_FIELDS = {
    "name": ("Name", "Its id stays, so that runs and ideas know it still."),
    "definition": ("Definition", "One line, which a language model is told."),
    "action": ("How an instruction begins", "For example: Use depthwise convolution"),
    "cues": ("Cues: phrases the built-in reader looks for", "Semicolons between them; * stands for any ending."),
    "examples": ("Examples", "Two or three ideas of this kind, as instructions; | between them."),
    "signature": ("What a graph shows", "For example: conv.dense up, conv.large down | conv.asymmetric up"),
    "antonym": ("Opposite", f"Another sub-category's id, or one of: {', '.join(ANTONYM_WORDS)}; empty for none."),
}


class TemplateWork(FairScreen[TemplateSnapshot]):
    """What changes the template; the tree itself is in ``template``."""

    SCOPE: ClassVar[str] = "template"

    def __init__(self) -> None:
        super().__init__()
        self.snapshot: TemplateSnapshot | None = None
        self.go_to: str | None = None

    @property
    def node(self) -> Node | None:
        """The category under the cursor."""
        raise NotImplementedError

    @property
    def _template(self) -> Template:
        assert self.snapshot is not None  # noqa: S101 - why_not has looked
        return self.snapshot.template

    def why_no_work(self, one: Action) -> str | None:
        """Why the template cannot be changed so now."""
        if self.snapshot is None:
            return "The template is being read."
        if one.name in _CHANGES and self.snapshot.structuring:
            return (
                f"{self.snapshot.structuring} files ideas by this template; wait for it, or stop it with "
                f"{key_of('papers.stop')} on Papers."
            )
        if one.name == "undo":
            return None if self.snapshot.undoable else "No change of the template is left to undo."
        if one.name in (*_CHANGES, "ideas", "open") and self.node is None:
            return f"No category matches; {key_of('template.clear')} clears the filter."
        if one.name in _OF_SUBS and not isinstance(self.node, Sub):
            return f"Choose a sub-category; {key_of('template.unfold')} unfolds a main category."
        if one.name == "split" and isinstance(self.node, Sub) and not self.snapshot.count(self.node).all:
            return "It has no ideas that could be split off."
        if one.name == "delete" and isinstance(self.node, Level):
            return "Levels belong to the method and stay."
        if one.name == "delete" and isinstance(self.node, Main) and self.node.subs:
            return f"It has {len(self.node.subs)} sub-categories; move, merge or delete those first."
        return None

    async def _ask(self, title: str, value: str = "", hint: str = "") -> str | None:
        return await self.app.push_screen_wait(ParagraphDialog(title, value, hint=hint))

    async def _ask_until(self, title: str, value: str, hint: str, make: Callable[[str], Edit]) -> Edit | None:
        """Ask for a line until it makes a change; what is wrong with it stands below it."""
        while True:
            answer = await self._ask(title, value, hint)
            if answer is None:
                return None
            try:
                # Rendering and parsing a tree takes tens of milliseconds, too long for a key.
                return await asyncio.to_thread(make, answer)
            except FairnadError as error:
                value, hint = answer, str(error)

    async def _apply(self, edit: Edit) -> None:
        moved = await self.desk.write(partial(change_template, edit=edit))
        self.go_to = edit.selected
        self.say(f"{edit.note[:1].upper()}{edit.note[1:]}{refiled_text(moved)}. {key_of('template.undo')} undoes it.")
        self.reload()

    async def _choose_sub(self, title: str, but: str) -> str | None:
        ideas = self.snapshot.ideas if self.snapshot else {}
        width = max(len(sub.id) for sub in self._template.subs)
        choices = [
            Choice(sub.id, f"{sub.id:<{width}}  {sub.name} ({ideas[sub.id].all if sub.id in ideas else 0:,})")
            for sub in self._template.subs
            if sub.id != but
        ]
        return await self.app.push_screen_wait(ChoiceDialog(title, choices))

    # -- adding and editing -----------------------------------------------------------------------------------

    def do_new(self) -> None:
        """Add a sub-category, or a main category under a level."""
        if self.node is not None:
            self.flow(self._new(self.node))

    async def _new(self, node: Node) -> None:
        template = self._template
        if isinstance(node, Level):
            make, title = partial(template_edit.add_main, template, node.id), f"New main category of {node.name}"
        else:
            main = node.id if isinstance(node, Main) else node.main
            make = partial(template_edit.add_sub, template, main)
            title = f"New sub-category of {template.main(main).name}"
        name: list[str] = []

        def named(answer: str) -> Edit:
            name[:] = [answer]
            return make(answer, "")

        if await self._ask_until(title, "", "Its name; Enter goes on to the definition.", named) is None:
            return
        hint = f"One line, which a language model is told; {key_of('template.edit')} adds cues and a signature later."
        edit = await self._ask_until(
            f"{title}: definition of {name[0].strip()}", "", hint, lambda said: make(name[0], said)
        )
        if edit is not None:
            await self._apply(edit)

    def do_edit(self) -> None:
        """Change a field of the category."""
        if self.node is not None:
            self.flow(self._edit(self.node))

    async def _edit(self, node: Node) -> None:
        template = self._template
        fields = template_edit.SUB_FIELDS if isinstance(node, Sub) else ("name", "definition")
        values = {one: field_text(node, one) if isinstance(node, Sub) else str(getattr(node, one)) for one in fields}
        choices = [Choice(one, f"{one:<11}{values[one]}"[:200]) for one in fields]
        field = await self.app.push_screen_wait(ChoiceDialog(f"Change what of {node.name}?", choices))
        if field is None:
            return
        title, hint = _FIELDS[field]
        make = partial(template_edit.change, template, node.id, field)
        edit = await self._ask_until(f"{title} of {node.name}", values[field], hint, make)
        if edit is not None and edit.template.digest != template.digest:
            await self._apply(edit)

    # -- moving ideas -----------------------------------------------------------------------------------------

    def do_move(self) -> None:
        """Put the sub-category under another main category."""
        if isinstance(self.node, Sub):
            self.flow(self._move(self.node))

    async def _move(self, sub: Sub) -> None:
        template = self._template
        width = max(len(main.id) for main in template.mains)
        choices = [
            Choice(main.id, f"{main.id:<{width}}  {main.name}") for main in template.mains if main.id != sub.main
        ]
        main = await self.app.push_screen_wait(ChoiceDialog(f"Put {sub.name} under which main category?", choices))
        if main is not None:
            await self._apply(await asyncio.to_thread(template_edit.move, template, sub.id, main))

    def do_merge(self) -> None:
        """Make the sub-category part of another one."""
        if isinstance(self.node, Sub):
            self.flow(self._merge(self.node))

    async def _merge(self, sub: Sub) -> None:
        template = self._template
        into = await self._choose_sub(f"Merge {sub.name} into which sub-category?", sub.id)
        if into is None:
            return
        edit = await asyncio.to_thread(template_edit.merge, template, sub.id, into)
        await self._confirm(edit, f"Merge {sub.name} into {template.sub(into).name}?")

    def do_split(self) -> None:
        """Make a new sub-category of the ideas that contain certain words."""
        if isinstance(self.node, Sub):
            self.flow(self._split(self.node))

    async def _split(self, sub: Sub) -> None:
        template = self._template
        title = f"Split {sub.name}"
        name: list[str] = []

        def named(answer: str) -> Edit:
            name[:] = [answer]
            return template_edit.add_sub(template, sub.main, answer, "")

        if await self._ask_until(title, "", "Name of the new sub-category.", named) is None:
            return
        hint = "Words that the ideas to take out contain, commas between phrases; they become its cues."
        edit = await self._ask_until(
            f"{title}: which ideas go to {name[0].strip()}?",
            "",
            hint,
            lambda words: template_edit.split(template, sub.id, name[0], sub.definition, words),
        )
        if edit is not None:
            count = await self.desk.read(partial(ideas_to_refile, edit=edit))
            total = self.snapshot.count(sub).all if self.snapshot else 0
            question = f"Split {sub.name}: {count:,} of its {total:,} ideas contain that and go to {name[0].strip()}?"
            if await self.app.push_screen_wait(ConfirmDialog(question)):
                await self._apply(edit)

    def do_delete(self) -> None:
        """Delete the category."""
        if isinstance(self.node, Main | Sub):
            self.flow(self._delete(self.node))

    async def _delete(self, node: Main | Sub) -> None:
        template, into = self._template, None
        count = self.snapshot.count(node).all if self.snapshot else 0
        if count:
            title = f"{node.name} has {count:,} ideas. Which sub-category takes them?"
            into = await self._choose_sub(title, node.id)
            if into is None:
                return
        edit = await asyncio.to_thread(template_edit.delete, template, node.id, into)
        await self._confirm(edit, f"Delete {node.name}?")

    async def _confirm(self, edit: Edit, question: str) -> None:
        count = await self.desk.read(partial(ideas_to_refile, edit=edit))
        to = ", ".join(sorted(set(edit.moved.values())))
        ideas = f" {count:,} ideas go to {to}." if count else " It has no ideas."
        if await self.app.push_screen_wait(ConfirmDialog(question + ideas)):
            await self._apply(edit)

    # -- undoing ----------------------------------------------------------------------------------------------

    def do_undo(self) -> None:
        """Go back to the template before the last change."""
        self.flow(self._undo())

    async def _undo(self) -> None:
        what, moved = await self.desk.write(undo_change)
        self.say(f"Undone: {what}{refiled_text(moved, 'went back')}.")
        self.reload()


def refiled_text(count: int, how: str = "refiled") -> str:
    """How many ideas moved, to go after what was done; empty where none did."""
    return f"; {count:,} {'idea' if count == 1 else 'ideas'} {how}" if count else ""
