"""Processes of the program: their identity across a reboot, and children that die with their parent."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before the request was made


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that cannot be confused with a later one of the same number."""

    host: str
    boot_id: str
    pid: int
    start_time: int

    def is_alive(self) -> bool | None:
        """Whether it still runs; None where it belongs to another host."""
        if self.host != socket.gethostname():
            return None
        return self.boot_id == _boot_id() and _start_time(self.pid) == self.start_time

    def kill(self, wait_seconds: float = 10.0) -> None:
        """End it where it runs on this host, and wait for that; never another process of the same number.

        One that hangs in the kernel may outlast the wait; it makes no further step of its own.

        Raises:
            PermissionError: It belongs to another user.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_alive():  # asked while the handle keeps the number from being given again
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], wait_seconds)
        finally:
            os.close(handle)


def current_identity() -> ProcessIdentity:
    """Return the identity of this process."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), _boot_id(), pid, _start_time(pid) or 0)


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of a process of this host; None where there is none of this number any more."""
    started = _start_time(pid)
    return None if started is None else ProcessIdentity(socket.gethostname(), _boot_id(), pid, started)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _start_time(pid: int) -> int | None:
    """Start of a process in clock ticks after boot, or None where it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
