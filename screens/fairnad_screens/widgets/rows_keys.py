"""The filter and movement keys of a screen that has one list of rows and one pane beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.containers import VerticalScroll
from textual.screen import Screen

from fairnad_screens.widgets.ideas_filter import FilterLine
from fairnad_screens.widgets.rows import Rows

if TYPE_CHECKING:
    from fairnad_screens.base import FairScreen
    from fairnad_screens.ideas import IdeasScreen
    from fairnad_screens.shell import Shell


class RowsKeys(Screen[None]):
    """Mixed into a screen; its list is the first :class:`Rows`, its pane ``#pane``."""

    AUTO_FOCUS = "#rows"
    filter_text: str = ""

    def show_filtered(self) -> None:
        """Show what matches ``filter_text`` now."""
        raise NotImplementedError

    def do_filter(self) -> None:
        """Begin to type a filter."""
        self.query_one(FilterLine).edit()

    def do_clear(self) -> None:
        """Leave the filter as it was before typing; else clear it."""
        line = self.query_one(FilterLine)
        if line.drafting:
            line.restore()
        elif self.filter_text:
            line.set_text("")
            self._filter_by("")
        else:
            cast("FairScreen[object]", self).say("There is no filter to clear.")

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        self._filter_by(event.text)

    @on(FilterLine.Closed)
    def _filter_closed(self) -> None:
        self.query_one(Rows).focus()

    def _filter_by(self, text: str) -> None:
        self.filter_text = text
        self.show_filtered()

    def show_ideas(self, text: str) -> None:
        """Go to the ideas that match a filter."""
        ideas = cast("IdeasScreen", cast("Shell", self.app).goto("ideas"))
        ideas.call_after_refresh(ideas.filter_by, text)

    def do_down(self) -> None:
        """Go down."""
        self.query_one(Rows).move(1)

    def do_up(self) -> None:
        """Go up."""
        self.query_one(Rows).move(-1)

    def do_page_down(self) -> None:
        """Go down a page."""
        rows = self.query_one(Rows)
        rows.move(rows.page)

    def do_page_up(self) -> None:
        """Go up a page."""
        rows = self.query_one(Rows)
        rows.move(-rows.page)

    def do_first(self) -> None:
        """Go to the first row."""
        self.query_one(Rows).move_to(0)

    def do_last(self) -> None:
        """Go to the last row."""
        rows = self.query_one(Rows)
        rows.move_to(rows.count - 1)

    def do_pane_down(self) -> None:
        """Scroll the pane down."""
        self.query_one("#pane", VerticalScroll).scroll_relative(y=3, animate=False)

    def do_pane_up(self) -> None:
        """Scroll the pane up."""
        self.query_one("#pane", VerticalScroll).scroll_relative(y=-3, animate=False)
