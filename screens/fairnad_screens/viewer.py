"""A view of a long text, letter by letter: a model's reply, a report."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from fairnad_screens.dialogs import Dialog
from fairnad_screens.text import plain, plain_line


class TextViewer(Dialog[None]):
    """Shows a text that may be foreign; nothing in it is interpreted."""

    CSS = """
    TextViewer { align: center middle; }
    TextViewer .viewer { width: 96%; max-width: 120; height: 92%; padding: 0 1; background: $surface;
        border: round $primary; }
    TextViewer VerticalScroll { height: 1fr; }
    TextViewer .title { height: 1; text-style: bold; }
    TextViewer .keys { height: 1; color: $foreground 70%; }
    TextViewer .text { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close"),
        Binding("j", "scroll_by(1)", "Down"),
        Binding("k", "scroll_by(-1)", "Up"),
        Binding("g", "to_end(False)", "Top"),
        Binding("G", "to_end(True)", "Bottom"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._content = text

    def compose(self) -> ComposeResult:
        """Title, text, keys."""
        with Vertical(classes="viewer"):
            yield Static(plain_line(self._title, 110), classes="title")
            with VerticalScroll():
                yield Static(plain(self._content), classes="text")
            yield Static(plain("j k PgUp PgDn g G: scroll     Esc: close"), classes="keys")

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query(VerticalScroll).focus()

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        for view in self.query(VerticalScroll):
            view.scroll_relative(y=lines, animate=False)

    def action_to_end(self, last: bool) -> None:
        """Go to the end or the beginning."""
        for view in self.query(VerticalScroll):
            (view.scroll_end if last else view.scroll_home)(animate=False)
