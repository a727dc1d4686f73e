"""Asking a server again after a lost connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.incidents import Kind, report

_Answer = TypeVar("_Answer")
_log = logging.getLogger("fairnad.llm")
_WAITS = (0.5, 2.0)
"""Seconds before each further try."""

LONGEST_TOKEN = 16
"""Characters per token beyond which a reply is taken for a runaway; code has two to five."""


class LostAnswerError(Exception):
    """The answer broke off; another try may succeed.

    Attributes:
        verdict: What is said where none does.
    """

    def __init__(self, verdict: ModelUnavailableError) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


def patiently(
    ask: Callable[[], _Answer], pause: Callable[[float], None], told: Callable[[str], None] | None = None
) -> _Answer:
    """Ask up to three times.

    Args:
        ask: Raises :class:`LostAnswerError` where another try may succeed.
        pause: Waits.
        told: Told what was lost before each further try, for whoever looks on.

    Raises:
        ModelUnavailableError: Each answer broke off; the verdict of the last one.
    """
    for wait in _WAITS:
        try:
            return ask()
        except LostAnswerError as lost:
            notice(told, f"{lost}; asked again", "retry")
            pause(wait)
    try:
        return ask()
    except LostAnswerError as lost:
        raise lost.verdict from lost


def notice(told: Callable[[str], None] | None, what: str, kind: Kind) -> None:
    """Say what went wrong with an answer that is asked for again: to who counts, in the log, and between replies."""
    _log.warning("%s", what)
    report(kind, what)
    if told:
        told(f"\n[{what}]\n")


def whole_characters(pieces: Iterable[str]) -> str:
    """Join the pieces of an answer; halves of a character that came apart are put together, lone ones are replaced."""
    text = "".join(pieces)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
