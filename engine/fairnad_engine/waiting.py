"""What a job waits for that is not its own doing: room on a disk, a model's server."""

from __future__ import annotations

import threading

DISK = "disk"
"""The subject that is room on the workspace's disk; every other one is a prompt that waits for its server."""


class Waiting:
    """Reasons by subject; told by any thread, and published by the heartbeat's as the job's state."""

    def __init__(self) -> None:
        """Begin with nothing to wait for."""
        self._reasons: dict[object, str] = {}
        self._lock = threading.Lock()

    def begin(self, subject: object, reason: str) -> None:
        """Wait for one thing more, or for the same with other words."""
        with self._lock:
            self._reasons[subject] = reason

    def end(self, subject: object) -> None:
        """It is there; one that was not waited for is left alone."""
        with self._lock:
            self._reasons.pop(subject, None)

    def told(self, subject: object, reason: str) -> None:
        """Wait for a model's server, or no longer where no reason is given."""
        if reason:
            self.begin(subject, reason)
        else:
            self.end(subject)

    @property
    def fault(self) -> str:
        """The name of what is waited for, in :mod:`fairnad_engine.faults`; empty where it is nothing."""
        with self._lock:
            return "disk-full" if DISK in self._reasons else "model-away" if self._reasons else ""

    def __str__(self) -> str:
        """Each reason once; empty where nothing is waited for."""
        with self._lock:
            return "; ".join(dict.fromkeys(self._reasons.values()))
