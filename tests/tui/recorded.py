"""What an application writes to the terminal, and whether any of it acts that the program did not mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.drivers.headless_driver import HeadlessDriver

from fairnad_engine.text import is_plain
from fairnad_screens.shell import Shell

# What Textual writes: colours, the cursor, modes, the clipboard, the window's title; no number has five digits.
_OWN = re.compile(
    r"\r(?:\n|\x1b\[2K)|"
    r"\x1b\[(?:[0-9]{1,3}(?:;[0-9]{1,3})*)?m"
    r"|\x1b\[[0-9]{0,3}(?:;[0-9]{0,3})?[HABCDGJK]"
    r"|\x1b\[\?[0-9]{1,4}(?:;[0-9])?(?:\$p|[hl])"
    r"|\x1b\[[<>=]?[0-9]{0,2}[uq]"
    r"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
    r"|\x1b\]22;[a-z-]*\x07"
)


def foreign(written: str) -> str:
    """The first thing in a terminal's input that acts and is not the program's own, with what stands around it."""
    rest = _OWN.sub("", written)
    if is_plain(rest.replace("\n", "")):
        return ""
    place = next(i for i, letter in enumerate(rest) if letter not in "\n" and not is_plain(letter))
    return repr(rest[max(0, place - 60) : place + 60])


class RecordedShell(Shell):
    """Fails as it would under test, though it writes as on a terminal."""

    def _handle_exception(self, error: Exception) -> None:
        super(Shell, self)._handle_exception(error)


def record(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the headless driver write; returns what it is given."""
    written: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "is_headless", property(lambda _: False))
    monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: written.append(data))
    return written


def show(path: Path) -> RecordedShell:
    """The application on a workspace."""
    return RecordedShell(path)
