"""The filter line of the curation desk: what is typed filters at once, Enter takes it, Esc restores the former one."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from fairnad_screens.actions import key_of
from fairnad_screens.text import plain, plain_line
from fairnad_screens.widgets.plain_input import PlainInput

_COUNT_WIDTH = 20


class FilterLine(Horizontal):
    """An input of one row with the number of matches beside it."""

    DEFAULT_CSS = """
    FilterLine { height: 1; background: $surface; }
    FilterLine #filter-sign { width: auto; }
    FilterLine Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    FilterLine Input:focus { border: none; background: $panel; }
    FilterLine #filter-matches { width: 20; padding: 0 1; text-align: right; }
    """

    class Changed(Message):
        """The filter is another one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing ended; the filter is as the line shows it."""

    def __init__(self, scope: str, about: str, at_length: str = "") -> None:
        """Make the line.

        Args:
            scope: The screen whose key begins to type.
            about: What can be typed, in at most 57 characters, so that 80 columns hold it.
            at_length: The same with examples, for where there is room.
        """
        super().__init__(id="filter")
        self._key = f" {key_of(f'{scope}.filter')} "
        self._about, self._at_length = about, at_length or about
        self._former = ""
        self._drafting = False
        self._matches = ""
        self._sign = Static(plain(self._key), id="filter-sign")
        self._input = PlainInput(placeholder=about, compact=True, id="filter-text", select_on_focus=False)
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
        """Begin to type, at once: the next key is a letter of the filter."""
        self.screen.set_focus(self._input)

    def restore(self) -> None:
        """Leave, with the filter as it was before typing."""
        self.set_text(self._former)
        self.post_message(self.Changed(self._former))
        self._end()

    def show_matches(self, text: str) -> None:
        """Say how many match."""
        if text != self._matches:
            self._matches = text
            self._count.update(plain_line(text, _COUNT_WIDTH - 2), layout=False)

    def on_resize(self) -> None:
        """Give examples where there is room for them."""
        room = self.size.width - len(self._key) - _COUNT_WIDTH
        self._input.placeholder = self._at_length if room > len(self._at_length) else self._about

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Typing begins, also by a click."""
        if not self._drafting:
            self._former, self._drafting = self.text, True
            self._sign.update(plain(self._key, "reverse bold"))

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
        self._sign.update(plain(self._key))
        self.post_message(self.Closed())
