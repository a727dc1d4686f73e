"""The terminal application."""

from __future__ import annotations

from pathlib import Path

from fairnad_engine.errors import InputError


def open_application(db: Path | None, llm: str | None) -> None:
    """Open the screens.

    Raises:
        InputError: This version has none yet.
    """
    raise InputError("the terminal screens are not in this version yet; use --no-ui --demo, or a sub-command (--help)")
