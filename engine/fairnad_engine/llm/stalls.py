"""Noticing that a server has gone silent: long patience before the first piece of an answer, little after it.

A cold model may take minutes until it is loaded; once it writes, a minute without a piece means that it is stuck. A
client's own read timeout knows no such difference, and a server that sends an empty line now and then escapes it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from fairnad_engine.llm.ollama_server import Timeouts

_watching: ContextVar[StallWatch | None] = ContextVar("stall_watch", default=None)


class StallWatch:
    """Breaks the connection of the request made inside the block once it is silent for too long.

    Args:
        timeouts: ``first`` seconds for the first piece, ``silence`` for each further one.
        clock: Seconds that only go forward.
    """

    def __init__(self, timeouts: Timeouts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._until = clock() + timeouts.first
        self._began = False
        self._over = False
        self._changed = threading.Condition()
        self._response: httpx.Response | None = None
        self._token: Token[StallWatch | None] | None = None
        self.stalled = False

    def __enter__(self) -> StallWatch:
        self._token = _watching.set(self)
        threading.Thread(target=self._watch, name="stall-watch", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._token is not None:
            _watching.reset(self._token)
        with self._changed:
            self._over = True
            self._changed.notify()

    def heard(self) -> None:
        """A piece has come."""
        self._until = self._clock() + self._timeouts.silence
        if not self._began:
            with self._changed:  # the watch sleeps until the first piece is overdue, which is too long from now on
                self._began = True
                self._changed.notify()

    @property
    def reason(self) -> str:
        """What to say of a stall."""
        if self._began:
            return f"it stopped in mid-answer: nothing for {self._timeouts.silence:g} s ([model] stall_seconds)"
        return f"no first token within {self._timeouts.first:g} s ([model] first_token_seconds)"

    def _watch(self) -> None:
        with self._changed:
            while not self._over:
                left = self._until - self._clock()
                if left <= 0:
                    self.stalled = True
                    self._break()
                    return
                self._changed.wait(left)

    def _break(self) -> None:
        stream = self._response.extensions.get("network_stream") if self._response is not None else None
        connection = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(connection, socket.socket):
            # The plain one also for TLS, whose own would take the session from under the thread that reads.
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _seen(self, response: httpx.Response) -> None:
        with self._changed:
            self._response = response
            if self.stalled:
                self._break()


def note_response(response: httpx.Response) -> None:
    """An HTTP client's response hook: tells the watch around a request which connection is its own."""
    watch = _watching.get()
    if watch is not None:
        watch._seen(response)
