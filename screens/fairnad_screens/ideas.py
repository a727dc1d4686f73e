"""Ideas, the curation desk: approve, reject, edit, move, merge and add ideas, and undo it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fairnad_engine import clock
from fairnad_engine.errors import InputError
from fairnad_engine.store.journal import Operation, Undone
from fairnad_screens.bindings import bindings
from fairnad_screens.data.ideas import DeskLine
from fairnad_screens.data.ideas_writes import add_own_idea, copy_of, subs_of_workspace, undo_small
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog
from fairnad_screens.external_editor import EditorProblem, edit_text
from fairnad_screens.ideas_merges import IdeaMerges
from fairnad_screens.widgets.paragraph_dialog import ParagraphDialog

_DONE = {"approved": "approve", "rejected": "reject"}


class IdeasScreen(IdeaMerges):
    """Decides about ideas; one idea decided is one key."""

    BINDINGS = bindings("ideas")
    CSS_PATH = "ideas.tcss"

    # -- decisions --------------------------------------------------------------------------------------------

    def do_approve(self) -> None:
        """Approve the idea or the marked ones."""
        self._decide("approved")

    def do_reject(self) -> None:
        """Reject the idea or the marked ones."""
        self._decide("rejected")

    def _decide(self, status: str) -> None:
        lines = self.chosen()
        if len(lines) > 1:
            self._ask(partial(self._decide_many, lines, status))
            return
        here = lines[0]
        self.book.marks.clear()
        marked = self.book.current is None or here.id != self.book.current.id
        self._set_status(lines, status)
        if not marked:
            self._go_on(here)
        self.show_after()

    async def _decide_many(self, lines: Sequence[DeskLine], status: str) -> None:
        if await self._sure(f"{_DONE[status].capitalize()} {len(lines):,} ideas?", lines):
            self.book.marks.clear()
            self._set_status(lines, status)
            self.show_after()
        else:
            self.show_all()

    def _set_status(self, lines: Sequence[DeskLine], status: str) -> None:
        new = [line._replace(status=status) for line in lines if line.status != status]
        what = f"{len(new):,} ideas" if len(lines) > 1 else lines[0].text
        self._deed = f"{status}: {what}" if new else f"{status} already: {what}"
        if new:
            self.pace.note(len(new), clock.steady())
            self._change(new, lambda store: store.ideas.decide([line.id for line in new], status, "person"))

    def _go_on(self, decided: DeskLine) -> None:
        """From an idea that was undecided go to the next such, else one row down; a hidden row went by itself."""
        here = self.book.current
        stayed = here is not None and here.id == decided.id
        below = self.book.cursor + stayed
        following = self.book.undecided(1, below, around=True) if decided.undecided else None
        self.book.move_to(below if following is None else following)

    def do_undo(self) -> None:
        """Undo what was done last."""
        self.background(self._undo())

    async def _undo(self) -> None:
        done = await self.desk.write(undo_small)
        if isinstance(done, Operation):
            self._ask(partial(self._undo_many, done))
        else:
            self._undone(done)

    async def _undo_many(self, operation: Operation) -> None:
        question = f"Undo “{operation.summary}” of {operation.at[:16].replace('T', ' ')} (by {operation.by})?"
        if await self.app.push_screen_wait(ConfirmDialog(question)):
            self._undone(await self.desk.write(lambda store: store.journal.undo(operation.id)))

    def _undone(self, done: Undone | None) -> None:
        if done is None:
            self.say("There is nothing to undo.")
            return
        left = f"; {done.left:,} changed again since and stay" if done.left else ""
        one = done.operation.ideas == 1
        added = f"; {'it is' if one else 'they are'} rejected now" if done.operation.kind == "add" else ""
        self.deed(f"undone: {done.operation.summary}{left}{added}")
        if done.ids:
            self.go_to(done.ids[0])

    # -- text and place ---------------------------------------------------------------------------------------

    def do_edit(self) -> None:
        """Edit the idea's text in a dialog."""
        self._ask(self._edit)

    async def _edit(self) -> None:
        here = self.book.current
        if here is not None:
            text = await self._line("Edit the idea", here.text)
            if text is not None:
                self._set_text(here, text)

    def do_editor(self) -> None:
        """Edit the idea's text in the user's editor."""
        here = self.book.current
        assert here is not None  # noqa: S101 - why_not has looked
        try:
            text = edit_text(self.app, here.text)
            if text is not None:
                self._set_text(here, _checked(text))
        except (EditorProblem, InputError) as error:
            self.say(str(error), failed=True)

    def _set_text(self, line: DeskLine, text: str) -> None:
        if text == line.text:
            self.say("The text is as it was.")
            return
        self._deed = f"edited: {text}"
        # What is searched is put right when the idea is read again.
        new = line._replace(text=text, search=f"{line.search}\n{text.casefold()}")
        self._change([new], lambda store: store.journal.edit(line.id, {"instruction": text}, "person"))
        self.show_after()

    async def _line(self, title: str, text: str) -> str | None:
        """Ask for an idea's text until it is one or the user gives up."""
        hint = ""
        while True:
            answer = await self.app.push_screen_wait(ParagraphDialog(title, text, hint=hint))
            if answer is None:
                return None
            try:
                return _checked(answer)
            except InputError as error:
                text, hint = answer, str(error)

    def do_move(self) -> None:
        """File ideas under another sub-category."""
        self._ask(partial(self._move_to_sub, self.chosen()))

    async def _move_to_sub(self, lines: Sequence[DeskLine]) -> None:
        what = f"Move {len(lines):,} ideas to" if len(lines) > 1 else "Move the idea to"
        sub = await self._choose_sub(what, "")
        place = next((one for one in self.subs if one.sub == sub), None)
        if place is None:
            self.show_all()
            return
        new = [
            line._replace(sub=place.sub, level=place.level, order=(place.sub, line.order[1]))
            for line in lines
            if line.sub != place.sub
        ]
        self.book.marks.clear()
        self._deed = f"moved to {place.sub}: {len(new):,} ideas" if len(lines) > 1 else f"moved to {place.sub}"
        if new:
            fields = {"sub": place.sub, "main": place.main, "level": place.level}
            self._change(new, lambda store: store.journal.move([line.id for line in new], fields, "person"))
        self.show_after()

    async def _choose_sub(self, title: str, first: str) -> str | None:
        subs = sorted(self.subs, key=lambda place: place.sub != first)
        choices = [Choice(place.sub, f"{place.sub:<26}{place.name}") for place in subs]
        return await self.app.push_screen_wait(ChoiceDialog(title, choices))

    # -- adding and copying -----------------------------------------------------------------------------------

    def do_new(self) -> None:
        """Add an idea of one's own."""
        self._ask(self._new)

    async def _new(self) -> None:
        if not self.subs:  # a workspace without a template gets the one that ships
            self.subs = await self.desk.write(subs_of_workspace)
        here = self.book.current
        sub = await self._choose_sub("Under which sub-category?", here.sub if here else "")
        if sub is None:
            return
        text = await self._line(f"An idea of your own, under {sub}: one instruction", "")
        if text is None:
            return
        new, fresh = await self.desk.write(partial(add_own_idea, sub=sub, text=text))
        self.deed("added and approved" if fresh else "is here already")
        self.go_to(new)

    def do_copy(self) -> None:
        """Copy ideas to the clipboard and to a file beside the workspace."""
        self.background(self._copy([line.id for line in self.chosen()]))

    async def _copy(self, ids: Sequence[str]) -> None:
        path = self.shell.workspace.with_name(f"{self.shell.workspace.stem}-copied.txt")
        self.app.copy_to_clipboard(await self.desk.read(partial(copy_of, ids=ids, path=path)))
        some = "the idea" if len(ids) == 1 else f"{len(ids):,} ideas"
        self.say(f"Copied {some}, where the terminal allows it; also in {path}")


def _checked(text: str) -> str:
    from fairnad_engine.knowledge.idea_files import checked_instruction

    return checked_instruction(text, "the idea")
