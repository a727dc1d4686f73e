"""The filter line of the curation desk: what is typed filters at once, Enter takes it, Esc restores the former one."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from fairnad_screens.text import plain_line

_IDEAS = "/ filters: words, status:proposed, cat:conv, paper:title, grounded:no, origin:own"


class FilterLine(Horizontal):
    """An input of one row with the number of matches beside it."""

    DEFAULT_CSS = """
    FilterLine { height: 1; background: $surface; }
    FilterLine #filter-sign { width: 3; }
    FilterLine Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    FilterLine Input:focus { border: none; background: $panel; }
    FilterLine #filter-matches { width: 25; padding: 0 1; text-align: right; }
    """

    class Changed(Message):
        """The filter is another one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing ended; the filter is as the line shows it."""

    def __init__(self, placeholder: str = _IDEAS) -> None:
        super().__init__(id="filter")
        self._former = ""
        self._drafting = False
        self._matches = ""
        self._sign = Static(" / ", id="filter-sign")
        self._input = Input(placeholder=placeholder, compact=True, id="filter-text", select_on_focus=False)
        self._count = Static(id="filter-matches")

    def compose(self) -> ComposeResult:
        """A sign, the input, the number of matches."""
        yield self._sign
        yield self._input
        yield self._count

    @property
    def text(self) -> str:
        """The filter, as it is typed or applied."""
        return self._input.value

    @property
    def drafting(self) -> bool:
        """Whether it is being typed."""
        return self._drafting

    def set_text(self, text: str) -> None:
        """Show a filter that did not come from typing; the caller applies it."""
        with self.prevent(Input.Changed):
            self._input.value = text
            self._input.cursor_position = len(text)

    def edit(self) -> None:
        """Begin to type."""
        self._input.focus()

    def restore(self) -> None:
        """Leave, with the filter as it was before typing."""
        self.set_text(self._former)
        self.post_message(self.Changed(self._former))
        self._end()

    def show_matches(self, text: str) -> None:
        """Say how many match."""
        if text != self._matches:
            self._matches = text
            self._count.update(plain_line(text, 23), layout=False)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Typing begins, also by a click."""
        if not self._drafting:
            self._former, self._drafting = self.text, True
            self._sign.update(Content.styled(" / ", "reverse bold"))

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """A click elsewhere takes the filter as it is."""
        if self._drafting:
            self._end()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _taken(self, event: Input.Submitted) -> None:
        event.stop()
        self._end()

    def _end(self) -> None:
        self._drafting = False
        self._sign.update(Content(" / "))
        self.post_message(self.Closed())
