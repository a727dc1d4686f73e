"""The curation desk as it writes to the workspace: one change at a time, and what makes one idea of several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from fairnad_engine.store import Store
from fairnad_screens.actions import Action, key_of
from fairnad_screens.data.ideas import DeskLine
from fairnad_screens.data.ideas_duplicates import Twin, read_groups, read_twins
from fairnad_screens.dialogs import ConfirmDialog
from fairnad_screens.ideas_moves import IdeaMoves
from fairnad_screens.widgets.twins_dialog import Kept, TwinsDialog


class IdeaMerges(IdeaMoves):
    """Changes ideas, and merges those that say the same."""

    def __init__(self) -> None:
        super().__init__()
        self._asking = False

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        here = self.book.current
        if one.name == "merge" and here is not None:
            if not self.book.marks - {here.id} and self.book.anchor is None:
                mark, merge = key_of("ideas.mark"), key_of("ideas.merge")
                return f"Mark the ideas to merge with {mark}, then go to the one that is to stay and press {merge}."
            if here.status == "rejected":
                return "The idea under the cursor is rejected; approve it before others are merged into it."
        if one.name == "duplicates" and here is not None and here.status == "rejected":
            return "The idea under the cursor is rejected; near-duplicates are shown of those that may still be used."
        return super().why_not(one)

    # -- writing ----------------------------------------------------------------------------------------------

    def _change(self, lines: Sequence[DeskLine], write: Callable[[Store], object]) -> None:
        """Show ideas as they will be, and hand the change to the store."""
        if len(lines) == 1:
            self.book.put(lines[0])
        else:
            self.book.merge(lines)
        ids = [line.id for line in lines]
        self._on_the_way.update(ids)

        def work(store: Store) -> int:
            write(store)
            return store.curation.sequence()

        self.background(self._settle(ids, self.desk.write(work)))

    async def _settle(self, ids: Sequence[str], written: Awaitable[int]) -> None:
        sequence = await self.tell(written)
        self._on_the_way.subtract(ids)
        self._on_the_way = +self._on_the_way
        if sequence is None:  # it was told why; show what really is
            self._read_all_again = True
            self.reload()
        else:
            self._arrived.update(dict.fromkeys(ids, sequence))
            self.read_story_soon()

    def _ask(self, question: Callable[[], Awaitable[None]]) -> None:
        """Begin a dialogue with the user, one at a time."""
        if self._asking:
            return
        self._asking = True

        async def ask() -> None:
            try:
                await question()
            finally:
                self._asking = False

        self.background(ask())

    async def _sure(self, what: str, lines: Sequence[DeskLine]) -> bool:
        hidden = self.book.hidden_marks()
        note = f"\n{hidden:,} of the marked ones are hidden by the filter." if hidden else ""
        question = ConfirmDialog(f"{what}{note}")
        return await self.app.push_screen_wait(question)

    # -- merging -------------------------------------------------------------------------------------------------------

    def do_merge(self) -> None:
        """Merge the marked ideas into the one under the cursor."""
        self._ask(self._merge)

    async def _merge(self) -> None:
        here = self.book.current
        others = [line for line in self.chosen() if here is not None and line.id != here.id]
        if here is None or not others:
            return
        some = "1 idea" if len(others) == 1 else f"{len(others):,} ideas"
        question = f"Merge {some} into this one?\n\n{here.text}\n\nThey are rejected, and stay as its sources."
        if await self._sure(question, others):
            self.book.marks.clear()
            self._merge_into(here.id, others)
        else:
            self.show_after()

    def do_duplicates(self) -> None:
        """Show the ideas that say the same as the one under the cursor."""
        here = self.book.current
        assert here is not None  # noqa: S101 - why_not has looked
        self._ask(partial(self._duplicates, here))

    async def _duplicates(self, here: DeskLine) -> None:
        # Apart, since a sub-category may hold thousands; the desk reads and writes meanwhile.
        twins = await self.tell(self.desk.apart(partial(read_twins, idea=here.id)))
        if twins is None or not self.there:
            return
        if not twins:
            groups = key_of("ideas.groups")
            self.say(f"No other idea of {here.sub} says the same; {groups} goes through all groups.")
            return
        kept = await self.app.push_screen_wait(TwinsDialog([twins], here.id))
        if kept is not None:
            self._merge_group(twins, kept)

    def do_groups(self) -> None:
        """Go through all groups of ideas that say the same."""
        self._ask(self._groups)

    async def _groups(self) -> None:
        self.say("Looking for ideas that say the same …")
        groups = await self.tell(self.desk.apart(read_groups))
        if groups is None or not self.there:
            return
        if not groups:
            self.say("No two ideas say the same.")
            return
        here = self.book.current.id if self.book.current else ""
        place = next((at for at, group in enumerate(groups) if here in {twin.id for twin in group}), 0)
        while groups:
            kept = await self.app.push_screen_wait(TwinsDialog(groups, here, place))
            if kept is None:
                return
            place = kept.group
            self._merge_group(groups[place], kept)
            groups = groups[:place] + groups[place + 1 :]
        self.say("That was the last group.")

    def _merge_group(self, twins: Sequence[Twin], kept: Kept) -> None:
        found = map(self.book.get, (twin.id for twin in twins))
        self._merge_into(kept.idea, [line for line in found if line is not None and line.id != kept.idea])

    def _merge_into(self, kept: str, others: Sequence[DeskLine]) -> None:
        """Reject ideas in favour of one, which keeps them as its sources."""
        some = "1 idea" if len(others) == 1 else f"{len(others):,} ideas"
        self._deed = f"merged: {some} into this one"
        new = [line._replace(status="rejected") for line in others]
        self._change(new, lambda store: store.journal.merge(kept, [line.id for line in others], "person"))
        self.book.go(kept)
        self.show_after()

    def show_after(self) -> None:
        """Draw what a change made different."""
        self.show_all()
        self.refresh_keys()
