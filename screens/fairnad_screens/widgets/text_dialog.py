"""A longer text to read: everything about a paper or category, or a list of problems."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from fairnad_screens.dialogs import Dialog
from fairnad_screens.text import plain


class TextDialog(Dialog[None]):
    """Shows a text that scrolls; any of the usual keys closes it."""

    CSS = """
    TextDialog { align: center middle; }
    TextDialog > Vertical { width: 100; max-width: 96%; height: auto; max-height: 94%; padding: 1 2;
        background: $surface; border: round $primary; }
    TextDialog VerticalScroll { height: auto; }
    TextDialog Static { height: auto; }
    TextDialog .title { text-style: bold; margin-bottom: 1; }
    TextDialog .keys { color: $foreground 70%; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close"),
        Binding("j,down", "scroll_by(1)", "Down"),
        Binding("k,up", "scroll_by(-1)", "Up"),
        Binding("pagedown,space,ctrl+d", "scroll_by(10)", "Page down"),
        Binding("pageup,ctrl+u", "scroll_by(-10)", "Page up"),
        Binding("g,home", "scroll_by(-1000000)", "Top"),
        Binding("G,end", "scroll_by(1000000)", "End"),
    ]

    def __init__(self, title: str, text: Content) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Title, text, keys."""
        with Vertical():
            yield Static(plain(self._title), classes="title")
            with VerticalScroll(can_focus=False):
                yield Static(self._text)
            yield Static(plain("j k: scroll     Esc: close"), classes="keys")

    def on_mount(self) -> None:
        """Fit the height."""
        self.on_resize()

    def on_resize(self) -> None:
        """Leave room for title and keys, whatever the height."""
        for view in self.query(VerticalScroll):
            view.styles.max_height = max(3, int(self.app.size.height * 0.94) - 9)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the text."""
        for view in self.query(VerticalScroll):
            view.scroll_relative(y=lines, animate=False)
