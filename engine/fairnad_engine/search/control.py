"""What the user asks of a running job: pause, resume, stop. Work passes a gate before each costly step."""

from __future__ import annotations

import asyncio
import threading


class StopRequestedError(Exception):
    """The run ends here; everything done so far is stored."""


class Control:
    """The gate that proposals and trainings pass."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._stop = threading.Event()
        self.stopping = False
        self.paused = False
        self._held = False

    async def gate(self) -> None:
        """Wait while paused or held.

        Raises:
            StopRequestedError: The run is asked to stop.
        """
        await self._open.wait()
        if self.stopping:
            raise StopRequestedError

    def wait(self, seconds: float) -> None:
        """Wait on a thread of its own, not on the event loop's.

        Raises:
            StopRequestedError: The run is asked to stop, which ends the wait at once.
        """
        if self._stop.wait(seconds):
            raise StopRequestedError

    def handle(self, request: str) -> None:
        """Apply a request: ``pause``, ``resume``, ``stop``."""
        if request == "pause":
            self.paused = True
        elif request == "resume":
            self.paused = False
        elif request in ("stop", "stop-now"):
            self.stopping = True
            self._stop.set()
            self.paused = False
        self._settle()

    def hold(self, held: bool) -> None:
        """Let nothing new begin while a disk is full, whatever the user asks for; a stop ends that too."""
        self._held = held
        self._settle()

    def _settle(self) -> None:
        if self.stopping or not (self.paused or self._held):
            self._open.set()
        else:
            self._open.clear()
