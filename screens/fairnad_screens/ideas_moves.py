"""The curation desk as one moves in it: filter, cursor, marks, ranges, detail pane."""

from __future__ import annotations

from textual import on

from fairnad_engine.store.ideas import STATUSES
from fairnad_screens.actions import Action, key_of
from fairnad_screens.data.ideas_book import ORDERS
from fairnad_screens.data.ideas_filter import status_in, with_status
from fairnad_screens.ideas_desk import IdeaDesk
from fairnad_screens.widgets.ideas_filter import FilterLine
from fairnad_screens.widgets.ideas_list import IdeaList

_FOR_ONE = frozenset({"mark", "range", "edit", "editor", "merge", "duplicates"})
_FOR_SOME = frozenset({"approve", "reject", "move", "copy"})


class IdeaMoves(IdeaDesk):
    """Keys that change nothing in the workspace."""

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        if self.book.current is None and (one.name in _FOR_ONE or (one.name in _FOR_SOME and not self.book.marks)):
            if self.book.lines:
                return f"Nothing matches the filter; {key_of('ideas.clear')} clears it."
            return self._no_idea()
        if one.name == "groups" and not self.book.lines:
            return self._no_idea()
        if one.name == "order" and not self.book.outcomes:
            return "No run has tried an idea yet; there is nothing to sort by."
        if one.name == "mark_all" and not self.book.shown:
            return "Nothing matches, so there is nothing to mark."
        return None

    @staticmethod
    def _no_idea() -> str:
        papers, own = key_of("app.papers"), key_of("ideas.new")
        return f"There is no idea yet; {papers} adds papers, {own} adds an idea of your own."

    # -- filter -----------------------------------------------------------------------------------------------

    @on(FilterLine.Changed)
    def _filter_typed(self, event: FilterLine.Changed) -> None:
        self.apply_filter(event.text)

    @on(FilterLine.Closed)
    def _filter_closed(self) -> None:
        self.idea_list.focus()
        self.show_progress()

    def do_filter(self) -> None:
        """Begin to type a filter."""
        self.filter_line.edit()

    def do_status(self) -> None:
        """Filter by the next status."""
        self._turn_status(1)

    def do_status_back(self) -> None:
        """Filter by the status before."""
        self._turn_status(-1)

    def _turn_status(self, by: int) -> None:
        turns = (None, *STATUSES)
        status = turns[(turns.index(status_in(self.filter_text)) + by) % len(turns)]
        self.filter_by(with_status(self.filter_text, status))

    def do_clear(self) -> None:
        """Leave the draft of a filter, the range, the marks or the filter, in this order."""
        if self.filter_line.drafting:
            self.filter_line.restore()
        elif self.book.anchor is not None:
            self.book.anchor = None
            self.show_all()
        elif self.book.marks:
            self.book.marks.clear()
            self.show_all()
        elif self.filter_text:
            self.filter_by("")
        else:
            self.say("There is no range, mark or filter to clear.")

    def do_order(self) -> None:
        """Sort by the next figure of what ideas brought, in the end by place."""
        names = list(ORDERS)
        self.book.order_by(names[(names.index(self.book.order) + 1) % len(names)])
        self.show_all()

    # -- cursor and marks -------------------------------------------------------------------------------------

    def _move(self, row: int) -> None:
        self.book.move_to(row)
        self.moved()

    @on(IdeaList.Picked)
    def _picked(self, event: IdeaList.Picked) -> None:
        self._move(event.row)

    def do_down(self) -> None:
        """Go down."""
        self._move(self.book.cursor + 1)

    def do_up(self) -> None:
        """Go up."""
        self._move(self.book.cursor - 1)

    def do_page_down(self) -> None:
        """Go down a page."""
        self._move(self.book.cursor + self.idea_list.page)

    def do_page_up(self) -> None:
        """Go up a page."""
        self._move(self.book.cursor - self.idea_list.page)

    def do_first(self) -> None:
        """Go to the first idea."""
        self._move(0)

    def do_last(self) -> None:
        """Go to the last idea."""
        self._move(len(self.book.shown))

    def do_next(self) -> None:
        """Go to the next undecided idea."""
        self._jump(1, "below")

    def do_previous(self) -> None:
        """Go to the undecided idea before."""
        self._jump(-1, "above")

    def _jump(self, step: int, where: str) -> None:
        row = self.book.undecided(step)
        if row is None:
            self.say(f"No undecided idea {where} this one in what is shown.")
        else:
            self._move(row)

    def do_mark(self) -> None:
        """Mark the idea or take its mark away, and go down."""
        here = self.book.current
        assert here is not None  # noqa: S101 - why_not has looked
        self.book.marks ^= {here.id}
        self._move(self.book.cursor + 1)
        self.show_progress()

    def do_range(self) -> None:
        """Begin a range, or mark it."""
        here = self.book.current
        assert here is not None  # noqa: S101 - why_not has looked
        if self.book.anchor is None:
            self.book.anchor = here.id
        else:
            self.book.end_range()
        self.show_all()

    def do_mark_all(self) -> None:
        """Mark everything that matches."""
        self.book.mark_shown()
        self.show_all()

    def do_pane(self) -> None:
        """Show or hide the detail pane."""
        self.pane_open = not self.pane_open
        self.pane.display = self.pane_open
        self.read_story_soon()

    def do_pane_down(self) -> None:
        """Scroll the detail pane down."""
        self.pane.scroll_lines(4)

    def do_pane_up(self) -> None:
        """Scroll the detail pane up."""
        self.pane.scroll_lines(-4)
