"""Foreign text on its way into a widget: never markup, no character that acts on the terminal."""

from __future__ import annotations

import locale
import os

from rich.cells import get_character_cell_size
from textual.content import Content

from fairnad_engine.text import sanitize, single_line


def plain(text: str, style: str = "") -> Content:
    """Any text as content that is shown letter by letter."""
    content = Content(sanitize(text, keep_newlines=True))
    return content.stylize(style) if style else content


def plain_line(text: str, width: int, style: str = "") -> Content:
    """Any text on one line of at most ``width`` characters; an indentation of up to four spaces stays."""
    indent = min(len(text) - len(text.lstrip(" ")), 4, width)
    content = Content(" " * indent + single_line(text, width - indent))
    return content.stylize(style) if style else content


def fold(content: Content, width: int) -> list[Content]:
    """Cut into lines of at most ``width`` cells, wherever the cut falls.

    As ``Content.fold``, which loses what follows a character that takes no cell.
    """
    text = content.plain
    if text.isascii():
        return content.fold(width)
    cuts, filled = [], 0
    for place, character in enumerate(text):
        size = get_character_cell_size(character)
        if filled + size > max(2, width):
            cuts.append(place)
            filled = 0
        filled += size
    return content.divide(cuts) if cuts else [content]


def unicode_works() -> bool:
    """Whether the terminal can be expected to show more than ASCII."""
    if os.environ.get("FAIRNAD_ASCII"):
        return False
    return locale.getpreferredencoding(False).upper().replace("-", "") == "UTF8"


class Glyphs:
    """Signs that carry state beside colour; ASCII where the terminal has no more."""

    def __init__(self, unicode: bool) -> None:
        self.running = "●" if unicode else "*"
        self.paused = "◐" if unicode else "="
        self.done = "✓" if unicode else "+"
        self.failed = "✗" if unicode else "x"
        self.dead = "☠" if unicode else "!"
        self.idle = "○" if unicode else "o"
        self.mark = "◆" if unicode else "#"
        self.cursor = "▸" if unicode else ">"
        self.bar = "█" if unicode else "#"
        self.bar_rest = "░" if unicode else "."
        self.down = "▾" if unicode else "v"
        self.right = "▸" if unicode else ">"
        self.dot = "·" if unicode else "-"

    def of_state(self, state: str) -> str:
        """The sign of a job's state."""
        return {
            "running": self.running,
            "stopping": self.paused,
            "paused": self.paused,
            "waiting": self.paused,
            "queued": self.idle,
            "done": self.done,
            "failed": self.failed,
            "stopped": self.idle,
            "dead": self.dead,
            "stalled": self.dead,
        }.get(state, self.idle)


GLYPHS = Glyphs(unicode_works())
