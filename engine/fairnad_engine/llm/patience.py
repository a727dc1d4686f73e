"""Asking a server again after a lost connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from fairnad_engine.errors import ModelUnavailableError

_Answer = TypeVar("_Answer")
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


def patiently(ask: Callable[[], _Answer], pause: Callable[[float], None]) -> _Answer:
    """Ask up to three times.

    Args:
        ask: Raises :class:`LostAnswerError` where another try may succeed.
        pause: Waits.

    Raises:
        ModelUnavailableError: Each answer broke off; the verdict of the last one.
    """
    for wait in _WAITS:
        try:
            return ask()
        except LostAnswerError:
            pause(wait)
    try:
        return ask()
    except LostAnswerError as lost:
        raise lost.verdict from lost


def whole_characters(pieces: Iterable[str]) -> str:
    """Join the pieces of an answer; halves of a character that came apart are put together, lone ones are replaced."""
    text = "".join(pieces)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
