"""A program in a pseudo-terminal: what it writes, how much, and how much processor time it takes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

import psutil


class Terminal:
    """Runs a command in a pseudo-terminal of a given size and reads what it paints."""

    def __init__(
        self, command: Sequence[str], *, size: tuple[int, int], environment: Mapping[str, str], cwd: str | None = None
    ) -> None:
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            if cwd:
                os.chdir(cwd)
            os.execvpe(command[0], list(command), dict(environment))
        columns, rows = size
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = b""

    def read_for(self, seconds: float) -> int:
        """Read for some time and return how many bytes came."""
        before, end = len(self.output), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if not self._read(left):
                break
        return len(self.output) - before

    def wait_for(self, text: bytes, seconds: float = 60.0) -> float:
        """Read until a text was painted; return the seconds since the program was started.

        Raises:
            TimeoutError: It did not come.
        """
        end = time.perf_counter() + seconds
        while text not in self.output:
            if time.perf_counter() > end or not self._read(end - time.perf_counter()):
                raise TimeoutError(f"{text!r} was not painted; the end was {self.output[-400:]!r}")
        return time.perf_counter() - self.started

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def cpu_seconds(self) -> float:
        """Processor time of the program so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def close(self) -> None:
        """End the program."""
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._fd)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            self.output += os.read(self._fd, 65536)
        except OSError:  # the program closed its end
            return False
        return True
