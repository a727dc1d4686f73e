"""An input line that shows foreign text letter by letter."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Input

from fairnad_engine.text import glyphs


class PlainInput(Input):
    """Its value may hold anything, typed, pasted or read; what is shown of it does not act on the terminal."""

    @property
    def _value(self) -> Text:
        # Textual hands the value to the terminal as it is, and leaves some characters out.
        return Text(glyphs(self.value), no_wrap=True, overflow="ignore", end="")
