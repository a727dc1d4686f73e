"""Text from papers, models and logs, made safe to show: every character stays, none of them acts."""

from __future__ import annotations

import re
import unicodedata

_BIDI_AND_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\ufeff\ufff9\ufffa\ufffb"
_ACTING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    f"{_BIDI_AND_INVISIBLE}\U000e0000-\U000e007f]"
)


def sanitize(text: str, *, keep_newlines: bool = False) -> str:
    """Show control, bidirectional and zero-width characters as visible glyphs.

    Args:
        text: Any text.
        keep_newlines: Leave line feeds as they are, for views of several lines.

    Returns:
        Text in which C0 controls are Unicode's control pictures and the others ``<U+XXXX>``. Tabs become spaces.
    """
    shown = _ACTING.sub(_glyph, text)
    return shown if keep_newlines else shown.replace("\n", "␊")


def _glyph(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == 9:
        return "    "
    if code < 32:
        return chr(0x2400 + code)
    if code == 127:
        return "␡"
    return f"<U+{code:04X}>"


def single_line(text: str, width: int) -> str:
    """One line of at most ``width`` characters, marked where it was cut."""
    line = sanitize(" ".join(text.split()))
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"


def is_plain(text: str) -> bool:
    """Whether a text holds nothing that acts on a terminal."""
    return _ACTING.search(text) is None and not any(unicodedata.category(c) == "Cs" for c in text)
