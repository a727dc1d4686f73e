"""One registry of actions feeds keys, footer, help, command palette and ``docs/keys.md``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """Something a key does.

    Attributes:
        id: ``scope.name``; the screen's method is ``do_name``. Also the name in the user's ``[keys]`` table.
        key: Key as Textual spells it; several are separated by commas.
        label: One or two words for the footer.
        help: One sentence for help, palette and docs.
        footer: Whether it stands in the footer (at most six of a scope do).
        hidden: Left out of help and docs: second names of movement keys.
    """

    id: str
    key: str
    label: str
    help: str
    footer: bool = False
    hidden: bool = False

    @property
    def scope(self) -> str:
        """The screen it belongs to; ``app`` is everywhere."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """What the method is called after ``do_``."""
        return self.id.partition(".")[2].replace("-", "_")


_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "tab": "Tab",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "full_stop": ".",
    "comma": ",",
    "asterisk": "*",
}


def key_text(key: str) -> str:
    """A key as people read it, for example ``Ctrl+P`` or ``?``."""
    first = key.split(",")[0].strip()
    if first.startswith("ctrl+"):
        return f"Ctrl+{first[5:].upper()}"
    if first.startswith("shift+"):
        return f"Shift+{_SHOWN.get(first[6:], first[6:])}"
    return _SHOWN.get(first, first)
