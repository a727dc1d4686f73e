"""Asking a server again after a lost answer: soon at first, then less and less often, for about a minute in all.

Where nothing answers at all, a worker then waits for hours, as its settings say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from fairnad_engine.errors import ModelAwayError
from fairnad_engine.llm.absence import tell_absence
from fairnad_engine.llm.incidents import Kind, report

if TYPE_CHECKING:
    from fairnad_engine.errors import ModelUnavailableError

_Answer = TypeVar("_Answer")
_log = logging.getLogger("fairnad.llm")

RETRY_SECONDS = 60.0
"""Waits between the tries in all: Ollama is up again within seconds, and a full queue is shorter after some more."""

_FIRST_WAIT = 0.5
_AWAY_WAIT = 30.0
"""Longest wait between two tries of a server that is away for hours."""

_SURE_TRIES = 3

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


@dataclass(frozen=True)
class Patience:
    """How long a server that fails is asked again, each wait being twice as long as the one before.

    Attributes:
        seconds: All waits together; 0 for no further try.
        pause: Waits so many seconds; whatever it raises, such as a request to stop, ends the tries.
        told: Told what was lost and how long is waited, for whoever looks on.
        clock: Seconds that only go forward.
        away: Seconds, after those, that a server is waited for where nothing answers; 0 for none.
    """

    seconds: float = RETRY_SECONDS
    pause: Callable[[float], None] = time.sleep
    told: Callable[[str], None] | None = None
    clock: Callable[[], float] = time.monotonic
    away: float = 0.0

    def ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask until there is an answer or patience ends; for a server that is away it ends later.

        Args:
            question: Raises :class:`LostAnswerError` where another try may succeed.

        Raises:
            ModelUnavailableError: Each answer was lost; the verdict of the last one.
        """
        while True:
            try:
                return self._ask(question)
            except ModelAwayError as verdict:
                if not self.away:
                    raise
                if answered := self._wait_until_back(question, verdict):
                    return answered[0]

    def _wait_until_back(self, question: Callable[[], _Answer], verdict: ModelAwayError) -> list[_Answer]:
        """The answer, or nothing where the server is back and loses it; the question is then asked as at first.

        Raises:
            ModelAwayError: The wait is over.
        """
        began, wait, prompt = self.clock(), _FIRST_WAIT, object()
        notice(self.told, f"{verdict}; waited for, {self.away / 3600:.3g} hours at most ([model] wait_hours)")
        tell_absence(prompt, f"no answer from the model's server: {verdict}")
        try:
            while self.clock() - began < self.away:
                self.pause(wait)
                wait = min(2 * wait, _AWAY_WAIT)
                try:
                    return [question()]
                except LostAnswerError as lost:
                    if not isinstance(lost.verdict, ModelAwayError):
                        return []
                    verdict = lost.verdict
        finally:
            tell_absence(prompt, "")
        raise verdict

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask for about a minute.

        Tries that take long themselves, such as those that end by a stall, use patience up too; there are three all the
        same.

        Args:
            question: Raises :class:`LostAnswerError` where another try may succeed.

        Raises:
            ModelUnavailableError: Each answer was lost; the verdict of the last one.
        """
        waited, tries, wait, began = 0.0, 0, _FIRST_WAIT, self.clock()
        while True:
            try:
                return question()
            except LostAnswerError as lost:
                tries += 1
                began = self.clock() if tries == 1 else began
                wait = min(wait, self.seconds - waited)
                slow = tries >= _SURE_TRIES and self.clock() - began >= self.seconds
                if wait <= 0 or slow:
                    notice(self.told, f"{lost}; given up after {tries} tries ([model] retry_seconds allows more)")
                    raise lost.verdict from lost
                waited += wait
                left = f"for {self.seconds - waited:g} s more at most" if waited < self.seconds else "for the last time"
                notice(self.told, f"{lost}; asked again in {wait:g} s, {left}", "retry")
            self.pause(wait)
            wait *= 2


class Timed(Generic[_Answer]):
    """A question that knows how long its last try took: to wait for a server is no work of its model's.

    Attributes:
        seconds: Of the last try.
    """

    def __init__(self, question: Callable[[], _Answer]) -> None:
        self._question = question
        self.seconds = 0.0

    def __call__(self) -> _Answer:
        """Ask."""
        began = time.monotonic()
        try:
            return self._question()
        finally:
            self.seconds = time.monotonic() - began


def notice(told: Callable[[str], None] | None, what: str, kind: Kind | None = None) -> None:
    """Say what went wrong with an answer that is asked for again: in the log, between replies, and to who counts."""
    _log.warning("%s", what)
    if kind is not None:
        report(kind, what)
    if told:
        told(f"\n[{what}]\n")


def whole_characters(pieces: Iterable[str]) -> str:
    """Join the pieces of an answer; halves of a character that came apart are put together, lone ones are replaced."""
    text = "".join(pieces)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
