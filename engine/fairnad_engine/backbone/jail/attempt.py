"""One attempt as the client sees it: four pipes, read with bounds until the zygote reports the end."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fairnad_engine.backbone.jail import wire

KEPT_OUTPUT_BYTES = 64 << 10
MOST_OUTPUT_BYTES = 8 << 20
_CHUNK = 1 << 18
_GRACE_SECONDS = 10.0


class ZygoteLostError(Exception):
    """The zygote died while an attempt ran; its children died with it."""


@dataclass(frozen=True)
class Ended:
    """How a child ended, nothing of it judged yet.

    Attributes:
        frame: What it wrote to the result pipe, bounded.
        output: The first bytes of its standard output and error.
        flooded: It wrote more than the bounds to one of the two and was killed for it.
        report: The zygote's report: ``status`` (of ``wait``), ``reason``, ``seconds``, ``cpu``.
    """

    frame: bytes
    output: bytes
    flooded: bool
    report: dict[str, Any]


class Attempt:
    """The client's ends of an attempt's pipes, and the child's until they are sent away."""

    def __init__(self, request: bytes, most_bytes: int = wire.MAX_FRAME_BYTES) -> None:
        self._request = memoryview(request)
        self._most = most_bytes
        request_end, self._request_fd = os.pipe()
        self._result_fd, result_end = os.pipe()
        self._output_fd, output_end = os.pipe()
        self._status_fd, status_end = os.pipe()
        self.descriptors = [request_end, result_end, output_end, status_end]
        self._frame, self._output, self._status = bytearray(), bytearray(), bytearray()
        self._output_bytes = 0
        self._flooded = False
        self._open = {self._request_fd, self._result_fd, self._output_fd, self._status_fd}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)

    def sent(self) -> None:
        """Close the child's ends, which the zygote now holds."""
        while self.descriptors:
            os.close(self.descriptors.pop())

    def close(self) -> None:
        """Close whatever is still open."""
        self.sent()
        for descriptor in list(self._open):
            self._shut(descriptor)

    def follow(self, wall_seconds: float, kill: Callable[[], None]) -> Ended:
        """Feed the request and read the replies until the zygote reports the end.

        Args:
            wall_seconds: The attempt's deadline, which the zygote keeps.
            kill: Asks the zygote to end the child early.

        Raises:
            ZygoteLostError: No report came, in time or at all.
        """
        backstop = time.monotonic() + wall_seconds + _GRACE_SECONDS
        poll = select.poll()
        for descriptor in self._open:
            poll.register(descriptor, select.POLLOUT if descriptor == self._request_fd else select.POLLIN)
        while not self._status.endswith(b"\n"):
            if time.monotonic() > backstop:
                raise ZygoteLostError("no report within the deadline")
            for descriptor, _ in poll.poll(1000):
                if not self._advance(descriptor):
                    poll.unregister(descriptor)
                    self._shut(descriptor)
            if self._status_fd not in self._open and not self._status.endswith(b"\n"):
                raise ZygoteLostError("it ended without a report")
            if self._is_flood() and not self._flooded:
                self._flooded = True
                kill()
        self._drain()
        return Ended(bytes(self._frame), bytes(self._output), self._flooded, json.loads(bytes(self._status)))

    def _drain(self) -> None:
        """Read what the dead child left in its pipes; nobody can add to them now."""
        for descriptor in (self._result_fd, self._output_fd):
            while descriptor in self._open and not self._is_flood():
                before = len(self._frame), self._output_bytes
                if not self._advance(descriptor):
                    self._shut(descriptor)
                elif before == (len(self._frame), self._output_bytes):
                    break
        self._flooded = self._flooded or self._is_flood()

    def _is_flood(self) -> bool:
        return len(self._frame) > self._most or self._output_bytes > MOST_OUTPUT_BYTES

    def _advance(self, descriptor: int) -> bool:
        """Move bytes through one pipe; False when it has come to its end."""
        try:
            if descriptor == self._request_fd:
                self._request = self._request[os.write(descriptor, self._request[:_CHUNK]) :]
                return bool(self._request)
            part = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False  # the child ended before it read its request
        if descriptor == self._result_fd and not self._flooded:
            self._frame += part
        elif descriptor == self._output_fd:
            self._output_bytes += len(part)
            self._output += part[: KEPT_OUTPUT_BYTES - len(self._output)]
        elif descriptor == self._status_fd:
            self._status += part
        return bool(part)

    def _shut(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        os.close(descriptor)
