"""A model's server that is away, and its coming back, told to whoever shows it: as in :mod:`.incidents`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[object, str], None]
_listener: ContextVar[Listener | None] = ContextVar("absence_listener", default=None)


def tell_absence(prompt: object, why: str) -> None:
    """Say that a prompt waits for its server, and why; empty text when it waits no longer."""
    listener = _listener.get()
    if listener is not None:
        listener(prompt, why)


@contextmanager
def absences_told_to(listener: Listener) -> Iterator[None]:
    """Send what is told inside, and on threads that take over this context, to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
