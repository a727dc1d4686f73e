"""What went wrong with a model's server and was survived, told to whoever counts it.

Asking happens on threads of its own, several at once, so a listener is a context variable that they take over.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Literal

from fairnad_engine import clock
from fairnad_engine.text import single_line

Kind = Literal["retry", "stall", "truncated", "aside"]
SUBJECT = "incidents"
"""Under this name a job tells its incidents, among the papers in hand."""

_NAMES: dict[Kind, tuple[str, str]] = {
    "stall": ("stall", "stalls"),
    "retry": ("retry", "retries"),
    "truncated": ("truncated prompt refused", "truncated prompts refused"),
    "aside": ("server set aside", "servers set aside"),
}
_LONGEST = 300
_listener: ContextVar[Callable[[Kind, str], None] | None] = ContextVar("incident_listener", default=None)


def report(kind: Kind, what: str) -> None:
    """Say that something went wrong, in plain words."""
    listener = _listener.get()
    if listener is not None:
        listener(kind, what)


@contextmanager
def reported_to(listener: Callable[[Kind, str], None]) -> Iterator[None]:
    """Send what is reported inside, and on threads that take over this context, to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class IncidentCounts:
    """Counts the incidents of one life of a job; called from several threads.

    Args:
        told: Given the counts and the last incident as one line whenever there is one more.
    """

    def __init__(self, told: Callable[[str], None] = lambda _: None) -> None:
        self._told = told
        self._counts: Counter[Kind] = Counter()
        self._lock = threading.Lock()

    def __call__(self, kind: Kind, what: str) -> None:
        """Count one."""
        at = datetime.fromtimestamp(clock.now()).astimezone().strftime("%H:%M:%S")
        with self._lock:
            self._counts[kind] += 1
            self._told(f"{self}; last {at}: {single_line(what, _LONGEST)}")

    def __str__(self) -> str:
        """The counts in words; empty where there was no incident."""
        counted = ((names, self._counts[kind]) for kind, names in _NAMES.items())
        return ", ".join(f"{count:,} {names[count > 1]}" for names, count in counted if count)
