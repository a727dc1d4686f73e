"""Text from papers, models and logs, made safe to show: every character stays, none of them acts."""

from __future__ import annotations

import json
import re

# Joiners, fillers, marks and selectors that are seen only in what they do to their neighbours, and what is no
# character at all.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U00013430-\U0001345f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CLASS = f"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}"
_ACTING = re.compile(f"[\t{_CLASS}]")
# A text may hold the very words that stand for a character; their first sign is then written so itself.
_ESCAPED = re.compile(f"[{_CLASS}]|<(?=U\\+[0-9A-F]{{4,6}}>)")
_ESCAPE = re.compile(r"<U\+([0-9A-F]{4,6})>")
_IN_JSON = re.compile(f"[{_CLASS}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t")
_BLANKS = re.compile(r"[ \t\n]+")


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


def glyphs(text: str) -> str:
    """As :func:`sanitize`, with one sign for each character, for where places are counted; some look alike."""
    return _ACTING.sub(_sign, text).replace("\n", "␊")


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else "\ufffd"


def escape(text: str) -> str:
    """Write what acts or is invisible as ``<U+XXXX>``; :func:`unescape` gives the text back.

    Tabs and line feeds stay; a text without such characters stays as it is.
    """
    return _ESCAPED.sub(lambda match: f"<U+{ord(match.group()):04X}>", text)


def unescape(text: str) -> str:
    """The text that :func:`escape` was given."""
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = int(match.group(1), 16)
    return chr(code) if code <= 0x10FFFF else match.group()


def csv_cell(text: str) -> str:
    """A text as a cell of a CSV file that no spreadsheet carries out as a formula and no terminal as a command."""
    return f"'{escape(text)}" if text.lstrip("'").startswith(_FORMULA) else escape(text)


def from_csv_cell(cell: str) -> str:
    """The text that :func:`csv_cell` was given."""
    guarded = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return unescape(cell[guarded:])


def storable(text: str) -> str:
    """A text that UTF-8, and so a database or a file, can hold: a lone surrogate is no character."""
    return _SURROGATE.sub("\ufffd", text)


def json_text(document: object, *, indent: int | None = None) -> str:
    """A document as JSON that people can read: only what acts on a terminal or is invisible is escaped."""
    text = json.dumps(document, indent=indent, sort_keys=True, ensure_ascii=False)
    return _IN_JSON.sub(lambda match: json.dumps(match.group())[1:-1], text)


def one_line(text: str) -> str:
    """A text with each run of blanks, tabs and line feeds as one blank; every other character stays."""
    return _BLANKS.sub(" ", text).strip(" ")


def single_line(text: str, width: int) -> str:
    """One line of at most ``width`` characters, marked where it was cut."""
    text = text.strip(" \t\n")
    most = 8 * width  # of a text of a megabyte no more than this need be looked at
    line = sanitize(one_line(text[:most]))
    return line if len(line) <= width and len(text) <= most else f"{line[: max(0, width - 1)]}…"


def is_plain(text: str) -> bool:
    """Whether a text holds nothing that acts on a terminal."""
    return _ACTING.search(text) is None
