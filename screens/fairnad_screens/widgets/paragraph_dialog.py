"""Asks for a text of some lines, all of which are in sight: an idea, a definition."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static, TextArea

from fairnad_engine.text import glyphs, sanitize
from fairnad_screens.dialogs import LineDialog
from fairnad_screens.text import plain


class _Paragraph(TextArea):
    """Wraps; Enter takes it, since it is one paragraph."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "screen.take", "Take it", priority=True)]

    def get_line(self, line_index: int) -> Text:
        """A line as it is shown; what was pasted may hold anything."""
        return Text(glyphs(self.document.get_line(line_index)), end="", no_wrap=True)


class ParagraphDialog(LineDialog):
    """A line that wraps instead of running out of its box; Esc gives None."""

    DEFAULT_CSS = """
    ParagraphDialog _Paragraph { height: auto; min-height: 3; max-height: 40vh; background: $surface; padding: 0; }
    """

    def compose(self) -> ComposeResult:
        """Title, text, keys."""
        # What is shown has no character that acts on the terminal; taken as it was shown, the text is as it was.
        self._offered = sanitize(self._value)
        with Vertical(classes="dialog"):
            yield Static(plain(self._title))
            yield _Paragraph(self._offered, soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False)
            yield Static(plain(f"{self._hint}\n{self.KEYS}" if self._hint else self.KEYS), classes="keys")

    def on_mount(self) -> None:
        """Write on at the end, as a line does."""
        for area in self.query(_Paragraph):
            area.move_cursor(area.document.end)

    def action_take(self) -> None:
        """Close with the text on one line."""
        text = self.query_one(_Paragraph).text
        self.dismiss(self._value if text == self._offered else " ".join(text.split()))
